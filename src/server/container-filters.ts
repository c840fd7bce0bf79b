import type { ContainerRecord } from '../engine/containers/container.ts';
import type { Engine } from '../engine/engine.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Call } from './call.ts';
import { isUp } from './convert/container-inspect.ts';
import { portsOf } from './convert/container-summary.ts';
import { isShown } from './convert/mounts.ts';
import { Filters } from './filters.ts';

const known = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['none', 'starting', 'healthy', 'unhealthy'];

/**
 * The containers `docker ps` shall show, newest first (moby, daemon/list.go).
 * @throws EngineError `invalid` for unknown filters and values, `notFound` for `before` and `since` of nothing
 */
export function selectContainers(call: Call): ContainerRecord[] {
  const { engine, query } = call;
  const filters = Filters.read(query, known);
  const limit = query.integer('limit') ?? 0;
  const withStopped = query.flag('all') || limit > 0 || filters.has('status');
  requireValues(filters, 'status', statuses);
  requireValues(
    filters,
    'health',
    healths,
    value => new EngineError('invalid', `unrecognised filter value for health: ${value}`),
  );
  const matches = matcher(engine, filters);
  const selected = engine.containers
    .list()
    .sort((a, b) => b.createdAtMs - a.createdAtMs)
    .filter(record => (withStopped || isUp(record.state.status)) && matches(record));
  return limit > 0 ? selected.slice(0, limit) : selected;
}

function matcher(engine: Engine, filters: Filters): (record: ContainerRecord) => boolean {
  const ancestors = ancestorIds(engine, filters.values('ancestor'));
  const before = filters.values('before').map(ref => engine.containers.get(ref).createdAtMs);
  const since = filters.values('since').map(ref => engine.containers.get(ref).createdAtMs);
  const exited = filters.values('exited').map(exitCodeOf);
  const published = filters.values('publish').flatMap(value => portsIn('publish', value));
  const exposed = filters.values('expose').flatMap(value => portsIn('expose', value));
  const isTask = filters.flag('is-task');
  const conditions: ((record: ContainerRecord) => boolean)[] = [
    record => filters.match('name', record.name) || filters.match('name', `/${record.name}`),
    record => filters.prefix('id', record.id),
    record => filters.labels('label', record.config.labels),
    record => filters.exact('status', record.state.status),
    record => filters.exact('health', record.state.health?.status ?? 'none'),
    record => ancestors === undefined || ancestors.has(record.imageId),
    record => before.every(ms => record.createdAtMs < ms),
    record => since.every(ms => record.createdAtMs > ms),
    record => exited.length === 0 || (hasExited(record) && exited.includes(record.state.exitCode)),
    record => onNetwork(engine, filters, record),
    record => usesVolume(filters, record),
    // Published ports are looked for as the host has them, exposed ones as the container has them, both while it runs.
    record =>
      published.length === 0 ||
      portsOf(engine, record).some(port => published.includes(`${port.PublicPort}/${port.Type}`)),
    record =>
      exposed.length === 0 ||
      portsOf(engine, record).some(port => exposed.includes(`${port.PrivatePort}/${port.Type}`)),
    // There are neither swarm tasks nor isolation modes here.
    () => isTask !== true,
    () => !filters.has('isolation') || filters.values('isolation').includes('default'),
  ];
  return record => conditions.every(condition => condition(record));
}

/** The images named and all that were built on them; undefined: no such filter. */
function ancestorIds(engine: Engine, refs: readonly string[]): Set<string> | undefined {
  if (refs.length === 0) return undefined;
  const ids = new Set<string>();
  for (const ref of refs) {
    // An image that is not here is nobody's ancestor.
    const base = imageNamed(engine, ref);
    if (base === undefined) continue;
    ids.add(base.id);
    for (const image of engine.imageStore.descendantsOf(base)) ids.add(image.id);
  }
  return ids;
}

/** Neither is what no image can be called. */
function imageNamed(engine: Engine, ref: string): ReturnType<Engine['imageStore']['find']> {
  try {
    return engine.imageStore.find(ref);
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'invalid') return undefined;
    throw error;
  }
}

function hasExited(record: ContainerRecord): boolean {
  return !isUp(record.state.status) && record.state.startedAtMs !== 0;
}

function onNetwork(engine: Engine, filters: Filters, record: ContainerRecord): boolean {
  if (!filters.has('network')) return true;
  return Object.keys(record.endpoints).some(name => {
    const id = engine.networkController.find(name)?.id ?? '';
    return filters.exact('network', name) || (id !== '' && filters.prefix('network', id));
  });
}

function usesVolume(filters: Filters, record: ContainerRecord): boolean {
  if (!filters.has('volume')) return true;
  return record.mounts
    .filter(isShown)
    .some(
      mount =>
        filters.exact('volume', mount.target) ||
        filters.exact('volume', mount.type === 'volume' ? mount.name : mount.source),
    );
}

function exitCodeOf(text: string): number {
  if (!/^[-+]?\d+$/.test(text)) {
    throw new EngineError('invalid', `strconv.Atoi: parsing "${text}": invalid syntax`);
  }
  return Number(text);
}

/**
 * `80`, `80/udp`, `8000-8010/tcp` as port keys, taken apart as Docker's nat package does it.
 * @throws EngineError `invalid`
 */
function portsIn(name: string, text: string): string[] {
  const refuse = (why: string) =>
    new EngineError('invalid', `error while looking up for ${name} ${text}: ${why}`);
  if (text.includes(':')) {
    throw new EngineError('invalid', `filter for '${name}' should not contain ':': ${text}`);
  }
  const [range = '', protocol = ''] = text.split('/');
  if (range === '') throw refuse('Empty string specified for ports.');
  const [first = 0, last = first] = range.split('-', 2).map(part => {
    if (!/^\d+$/.test(part)) throw refuse(`strconv.ParseUint: parsing "${part}": invalid syntax`);
    if (Number(part) > 65535) throw refuse(`strconv.ParseUint: parsing "${part}": value out of range`);
    return Number(part);
  });
  if (last < first) throw refuse(`Invalid range specified for the Port: ${range}`);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol || 'tcp'}`);
}

function requireValues(
  filters: Filters,
  name: string,
  allowed: readonly string[],
  refuse = (value: string) => new EngineError('invalid', `invalid filter '${name}=${value}'`),
): void {
  for (const value of filters.values(name)) {
    if (!allowed.includes(value)) throw refuse(value);
  }
}
