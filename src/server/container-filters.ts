import type { ContainerRecord } from '../engine/containers/container.ts';
import type { Engine } from '../engine/engine.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Call } from './call.ts';
import { isUp } from './convert/container-inspect.ts';
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
  requireValues(filters, 'health', healths);
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
  const published = filters.values('publish').flatMap(portsIn);
  const exposed = filters.values('expose').flatMap(portsIn);
  const isTask = filters.flag('is-task');
  const conditions: ((record: ContainerRecord) => boolean)[] = [
    record => filters.match('name', record.name) || filters.match('name', `/${record.name}`),
    record => filters.match('id', record.id),
    record => filters.labels('label', record.config.labels),
    record => filters.exact('status', record.state.status),
    record => filters.exact('health', record.state.health?.status ?? 'none'),
    record => ancestors === undefined || ancestors.has(record.imageId),
    record => before.every(ms => record.createdAtMs < ms),
    record => since.every(ms => record.createdAtMs > ms),
    record => exited.length === 0 || (hasExited(record) && exited.includes(record.state.exitCode)),
    record => onNetwork(engine, filters, record),
    record => usesVolume(filters, record),
    record =>
      published.length === 0 ||
      Object.keys(record.hostConfig.portBindings).some(key => published.includes(key)),
    record => exposed.length === 0 || record.config.exposedPorts.some(key => exposed.includes(key)),
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
  const add = (id: Parameters<typeof engine.imageStore.childrenOf>[0]) => {
    if (ids.has(id)) return;
    ids.add(id);
    for (const child of engine.imageStore.childrenOf(id)) add(child);
  };
  for (const ref of refs) {
    // An image that is not here is nobody's ancestor.
    const image = engine.imageStore.find(ref);
    if (image !== undefined) add(image.id);
  }
  return ids;
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
  return record.mounts.some(
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

/** `80`, `80/udp`, `8000-8010/tcp` as port keys. */
function portsIn(text: string): string[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || last < first || last > 65535) {
    throw new EngineError('invalid', `invalid filter: invalid port '${text}'`);
  }
  const protocol = match[3] ?? 'tcp';
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function requireValues(filters: Filters, name: string, allowed: readonly string[]): void {
  for (const value of filters.values(name)) {
    if (!allowed.includes(value)) throw invalidValue(name, value);
  }
}

function invalidValue(name: string, value: string): EngineError {
  return new EngineError('invalid', `invalid filter '${name}=${value}'`);
}
