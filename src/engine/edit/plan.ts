import { isDeepStrictEqual } from 'node:util';
import type { PortRequest } from '../../network/network.ts';
import { EngineError, within } from '../../stdx/errors.ts';
import type {
  ContainerConfig,
  EndpointRequest,
  HostConfig,
  PortBinding,
  ScheduleConfig,
} from '../containers/config.ts';
import type { ContainerRecord, ResolvedMount } from '../containers/container.ts';
import { variableName } from '../containers/merge.ts';
import { type PlannedMount, planMounts } from '../containers/mounts.ts';
import { parsePort } from '../containers/network.ts';
import { updatedResources } from '../containers/resource-limits.ts';
import { withoutEndedSchedule } from '../schedules/validate.ts';
import type { EditedFields } from './edits.ts';
import type { EditRequest } from './request.ts';

/** What a change asks of a container that runs: nothing but its row, a change while it runs, a new process. */
export type Takes = 'nothing' | 'live' | 'restart';

export interface EditChange {
  subject:
    | 'port'
    | 'env'
    | 'mount'
    | 'label'
    | 'network'
    | 'limit'
    | 'restart'
    | 'schedule'
    | 'command'
    | 'hostname';
  /** `+ NAME=value`, `- NAME=value`, `~ NAME=old -> new` */
  text: string;
  takes: Takes;
}

/** All that an edit comes to, decided before anything is touched. */
export interface EditPlan {
  changes: EditChange[];
  /** Mounts apart, as volumes are yet to be made. */
  after: Omit<EditedFields, 'mounts'>;
  mounts: { kept: ResolvedMount[]; added: PlannedMount[] };
  /** While it runs: container ports that are no longer published, and what is published besides. */
  ports: { removed: string[]; added: PortRequest[] };
  /** While it runs: networks to leave, then networks to join. One that is joined anew is in both. */
  networks: { left: string[]; joined: Record<string, EndpointRequest> };
}

/**
 * Lays a request over a container.
 * @param record is not changed
 * @throws invalid for what cannot be: to take away what is not there is a mistake, not a wish that is fulfilled already
 */
export function planEdit(record: ContainerRecord, request: EditRequest): EditPlan {
  const changes: EditChange[] = [];
  const note = (subject: EditChange['subject'], takes: Takes) => (text: string) =>
    void changes.push({ subject, text, takes });
  const { config, hostConfig } = record;

  const ports = planPorts(record, request, note('port', 'live'));
  const env = planEnvironment(config.env, request, note('env', 'restart'));
  const mounts = planMountsAnew(record, request, note('mount', 'restart'));
  const labels = planLabels(config.labels, request, note('label', 'nothing'));
  const networks = planNetworks(record, request, note('network', 'live'));
  const { schedule, ...limits } = request.limits;
  noteLimits(hostConfig, limits, note('limit', 'live'), note('restart', 'nothing'));
  if (schedule !== undefined) noteSchedule(hostConfig.schedule, schedule, note('schedule', 'nothing'));
  const command = planCommand(config, request.command, note('command', 'restart'));
  const hostname = request.hostname ?? config.hostname;
  if (hostname !== config.hostname) {
    note('hostname', 'restart')(`~ ${config.hostname} -> ${hostname}`);
  }

  const [path = '', ...args] = [...(config.entrypoint ?? []), ...(command ?? [])];
  return {
    changes,
    after: {
      config: {
        ...config,
        env,
        labels,
        hostname,
        cmd: command,
        exposedPorts: ports.exposed,
        volumes: mounts.anonymous,
      },
      hostConfig: {
        ...withoutEndedSchedule(hostConfigAfter(record, request.limits)),
        portBindings: ports.bindings,
        ...mounts.requests,
      },
      endpoints: networks.endpoints,
      path,
      args,
    },
    mounts: { kept: mounts.kept, added: mounts.added },
    ports: { removed: ports.removed, added: ports.added },
    networks: { left: networks.left, joined: networks.joined },
  };
}

/** The most that any of the changes asks. */
export function takesAtMost(changes: readonly EditChange[]): Takes {
  if (changes.some(({ takes }) => takes === 'restart')) return 'restart';
  return changes.some(({ takes }) => takes === 'live') ? 'live' : 'nothing';
}

type Note = (text: string) => void;

function planPorts(record: ContainerRecord, request: EditRequest, note: Note) {
  const { publishAllPorts } = record.hostConfig;
  const bindings = { ...record.hostConfig.portBindings };
  let exposed = record.config.exposedPorts;
  for (const port of request.unpublish) {
    const byAll = publishAllPorts && exposed.includes(port);
    if (!(port in bindings) && !byAll) throw invalid(`port ${port} is not published`);
    for (const binding of bindings[port] ?? []) note(`- ${showBinding(binding)}:${port}`);
    if (!(port in bindings)) note(`- ${port}`);
    delete bindings[port];
    // Otherwise -P would publish it again.
    if (byAll) exposed = exposed.filter(other => other !== port);
  }
  const added: PortRequest[] = [];
  for (const [port, asked] of Object.entries(request.publish)) {
    const there = bindings[port] ?? [];
    const fresh = asked.filter(binding => !there.some(other => isDeepStrictEqual(other, binding)));
    if (fresh.length === 0) continue;
    for (const binding of fresh) {
      requireUnused(bindings, port, binding);
      note(`+ ${showBinding(binding)}:${port}`);
      added.push({ ...parsePort(port), ...binding });
    }
    bindings[port] = [...there, ...fresh];
    if (!exposed.includes(port)) exposed = [...exposed, port];
  }
  return { bindings, exposed, removed: request.unpublish, added };
}

/** One place on the host leads to one port of the container. */
function requireUnused(
  bindings: HostConfig['portBindings'],
  port: string,
  { hostIp, hostPort }: PortBinding,
): void {
  const protocol = port.split('/')[1];
  for (const [other, places] of Object.entries(bindings)) {
    const clash = places.some(
      place =>
        hostPort !== '' &&
        place.hostPort === hostPort &&
        (place.hostIp === hostIp || place.hostIp === '' || hostIp === ''),
    );
    if (!clash || other.split('/')[1] !== protocol) continue;
    throw new EngineError(
      'conflict',
      `host port ${showBinding({ hostIp, hostPort })} is published for ${other}`,
    );
  }
}

/** `127.0.0.1:8080`, `8080`; `any` when the daemon chooses. */
function showBinding({ hostIp, hostPort }: PortBinding): string {
  const port = hostPort === '' ? 'any' : hostPort;
  return hostIp === '' ? port : `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:${port}`;
}

function planEnvironment(before: readonly string[], request: EditRequest, note: Note): string[] {
  const after = new Map(before.map(entry => [variableName(entry), entry]));
  for (const name of request.unsetEnv) {
    const entry = after.get(name);
    if (entry === undefined) throw invalid(`environment variable ${name} is not set`);
    note(`- ${entry}`);
    after.delete(name);
  }
  for (const entry of request.env) {
    const name = variableName(entry);
    const old = after.get(name);
    if (old === entry) continue;
    note(old === undefined ? `+ ${entry}` : `~ ${old} -> ${entry.slice(name.length + 1)}`);
    after.set(name, entry);
  }
  return [...after.values()];
}

function planMountsAnew(record: ContainerRecord, request: EditRequest, note: Note) {
  const { config, hostConfig } = record;
  const { binds, mounts, volumes } = request;
  const blank = { ...hostConfig, binds, mounts, tmpfs: {}, volumesFrom: [] };
  const planned = planMounts({ ...config, volumes }, blank, () => []);
  const old = new Map(record.mounts.map(mount => [mount.target, mount]));
  const gone = new Set<string>();
  for (const target of request.unmount) {
    const mount = old.get(target);
    if (mount === undefined) throw invalid(`nothing is mounted at ${target}`);
    note(`- ${showMount(mount)}`);
    gone.add(target);
  }
  const added = planned.filter(mount => !isSameMount(old.get(mount.target), mount));
  for (const mount of added) {
    const there = old.get(mount.target);
    const replaces = there !== undefined && !gone.has(mount.target);
    note(replaces ? `~ ${showMount(there)} -> ${showMount(mount)}` : `+ ${showMount(mount)}`);
    gone.add(mount.target);
  }
  for (const { target } of added) {
    if (hostConfig.secrets?.some(secret => secret.target === target))
      throw invalid(`there is a secret at ${target}`);
  }
  const stays = (target: string) => !gone.has(target);
  const fresh = (target: string) => added.some(mount => mount.target === target);
  const targetOfBind = (bind: string) =>
    planMounts({ ...config, volumes: [] }, { ...blank, binds: [bind], mounts: [] }, () => [])[0]!.target;
  const targetOf = ({ target }: { target: string }) => target.replace(/(.)\/+$/, '$1');
  return {
    kept: record.mounts.filter(mount => stays(mount.target)),
    added,
    anonymous: [
      ...config.volumes.filter(target => stays(targetOf({ target }))),
      ...volumes.filter(target => fresh(targetOf({ target }))),
    ],
    requests: {
      binds: [
        ...hostConfig.binds.filter(bind => stays(targetOfBind(bind))),
        ...binds.filter(bind => fresh(targetOfBind(bind))),
      ],
      mounts: [
        ...hostConfig.mounts.filter(mount => stays(targetOf(mount))),
        ...mounts.filter(mount => fresh(targetOf(mount))),
      ],
      tmpfs: Object.fromEntries(
        Object.entries(hostConfig.tmpfs).filter(([target]) => stays(targetOf({ target }))),
      ),
    },
  };
}

/** An anonymous volume is never the one that is there: a new one was asked for. */
function isSameMount(old: ResolvedMount | undefined, planned: PlannedMount): boolean {
  if (old === undefined || planned.anonymous) return false;
  const { createSource: _, labels: _labels, driverOptions: _options, ...mount } = planned;
  const source = mount.type === 'volume' ? old.source : mount.source;
  // Whether it was filled from the image is no difference, nor is it for a volume that is found full.
  return isDeepStrictEqual({ ...withoutAbsent(mount), source, copyUp: old.copyUp }, withoutAbsent(old));
}

/** As a record is after it was read from its row, which has no place for `undefined`. */
function withoutAbsent(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object;
}

/** `data:/data`, `/srv:/data:ro`, `tmpfs:/run` */
function showMount(mount: ResolvedMount): string {
  const source =
    mount.type === 'tmpfs'
      ? 'tmpfs'
      : mount.type === 'bind'
        ? mount.source
        : mount.anonymous
          ? 'anonymous volume'
          : mount.name;
  return `${source}:${mount.target}${mount.readWrite ? '' : ':ro'}`;
}

function planLabels(
  before: Readonly<Record<string, string>>,
  request: EditRequest,
  note: Note,
): Record<string, string> {
  const after = { ...before };
  for (const name of request.removeLabels) {
    if (!Object.hasOwn(after, name)) throw invalid(`there is no label ${name}`);
    note(`- ${name}=${after[name]}`);
    delete after[name];
  }
  for (const [name, value] of Object.entries(request.labels)) {
    const old = Object.hasOwn(after, name) ? after[name] : undefined;
    if (old === value) continue;
    note(old === undefined ? `+ ${name}=${value}` : `~ ${name}=${old} -> ${value}`);
    after[name] = value;
  }
  return after;
}

function planNetworks(record: ContainerRecord, request: EditRequest, note: Note) {
  const endpoints = { ...record.endpoints };
  const left: string[] = [];
  const joined: Record<string, EndpointRequest> = {};
  for (const name of request.leaveNetworks) {
    if (!Object.hasOwn(endpoints, name)) throw invalid(`container is not connected to network ${name}`);
    note(`- ${name}`);
    left.push(name);
    delete endpoints[name];
  }
  for (const [name, endpoint] of Object.entries(request.networks)) {
    const old = endpoints[name];
    if (old !== undefined && isDeepStrictEqual(withoutAbsent(old), withoutAbsent(endpoint))) continue;
    note(`${old === undefined ? '+' : '~'} ${[name, ...showEndpoint(endpoint)].join(' ')}`);
    if (old !== undefined) left.push(name);
    endpoints[name] = endpoint;
    joined[name] = endpoint;
  }
  return { endpoints, left, joined };
}

function showEndpoint({ aliases, ipv4Address, ipv6Address, macAddress }: EndpointRequest): string[] {
  return [
    ...aliases.map(alias => `alias=${alias}`),
    ...(ipv4Address ? [`ip=${ipv4Address}`] : []),
    ...(ipv6Address ? [`ip6=${ipv6Address}`] : []),
    ...(macAddress ? [`mac-address=${macAddress}`] : []),
  ];
}

/** The flag of each limit that `update` takes. */
const limitFlags: Partial<Record<keyof HostConfig, string>> = {
  memoryBytes: 'memory',
  memorySwapBytes: 'memory-swap',
  memoryReservationBytes: 'memory-reservation',
  cpuShares: 'cpu-shares',
  nanoCpus: 'cpus',
  cpuPeriodUs: 'cpu-period',
  cpuQuotaUs: 'cpu-quota',
  cpusetCpus: 'cpuset-cpus',
  cpusetMems: 'cpuset-mems',
  pidsLimit: 'pids-limit',
  blkioWeight: 'blkio-weight',
};

/** As `update` has it, but the limit of swap follows that of memory where nobody says otherwise. @throws conflict */
function hostConfigAfter({ id, hostConfig }: ContainerRecord, limits: Partial<HostConfig>): HostConfig {
  const { memoryBytes = 0, memorySwapBytes } = limits;
  const swapFollows = memoryBytes > hostConfig.memorySwapBytes && memoryBytes > 0 && !memorySwapBytes;
  const follows = hostConfig.memorySwapBytes === -1 ? -1 : memoryBytes * 2;
  try {
    return updatedResources(hostConfig, swapFollows ? { ...limits, memorySwapBytes: follows } : limits);
  } catch (error) {
    throw within(`Cannot update container ${id}`, error);
  }
}

function noteLimits(before: HostConfig, limits: Partial<HostConfig>, limit: Note, restart: Note): void {
  for (const [key, value] of Object.entries(limits)) {
    const name = key as keyof HostConfig;
    if (isDeepStrictEqual(before[name], value)) continue;
    if (limits.restartPolicy !== undefined && name === 'restartPolicy') {
      restart(`~ ${showPolicy(before.restartPolicy)} -> ${showPolicy(limits.restartPolicy)}`);
      continue;
    }
    if (name === 'healthOnFailure') {
      restart(`~ health-on-failure ${before.healthOnFailure ?? 'none'} -> ${limits.healthOnFailure}`);
      continue;
    }
    limit(`~ ${limitFlags[name] ?? name} ${showLimit(name, before[name])} -> ${showLimit(name, value)}`);
  }
}

/** A schedule without times takes the one there is away. */
function noteSchedule(before: ScheduleConfig | undefined, asked: ScheduleConfig, note: Note): void {
  const after = asked.cron === '' ? undefined : asked;
  if (isDeepStrictEqual(before, after)) return;
  if (before === undefined) note(`+ ${showSchedule(asked)}`);
  else
    note(
      after === undefined
        ? `- ${showSchedule(before)}`
        : `~ ${showSchedule(before)} -> ${showSchedule(after)}`,
    );
}

/** `0 3 * * * Europe/Berlin, catching up` */
function showSchedule({ cron, timeZone, catchUp }: ScheduleConfig): string {
  return `${cron} ${timeZone}`.trim() + (catchUp ? ', catching up' : '');
}

function showLimit(name: keyof HostConfig, value: unknown): string {
  if (value === undefined || value === 0 || value === '') return 'unset';
  if (name === 'nanoCpus') return String((value as number) / 1e9);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function showPolicy({ name, maximumRetryCount }: HostConfig['restartPolicy']): string {
  return maximumRetryCount > 0 ? `${name}:${maximumRetryCount}` : name;
}

function planCommand(config: ContainerConfig, asked: string[] | undefined, note: Note): string[] | null {
  if (asked === undefined || isDeepStrictEqual(asked, config.cmd)) return config.cmd;
  if (asked.length === 0 && (config.entrypoint ?? []).length === 0) throw invalid('No command specified');
  note(`~ ${JSON.stringify(config.cmd ?? [])} -> ${JSON.stringify(asked)}`);
  return asked;
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
