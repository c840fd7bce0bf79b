import { readFileSync, type Stats, statfsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { hasLinks, letsNeighboursTalk } from '../../network/network.ts';
import { containerIdOf, hostIdOf, overflowId } from '../../oci/id-mappings.ts';
import { errnoOf } from '../../stdx/errors.ts';
import { openVolumePart } from '../../storage/subpaths.ts';
import type { HostConfig } from '../containers/config.ts';
import type { ContainerRecord, ResolvedMount } from '../containers/container.ts';
import { enterSnapshot } from '../containers/enter.ts';
import { planHealth } from '../containers/health-plan.ts';
import { isReadable, readLogs } from '../containers/logs.ts';
import { resolveUserIn } from '../containers/root.ts';
import { presentMappings } from '../containers/user-namespace.ts';
import type { EngineContext } from '../context.ts';
import { scheduleOf } from '../schedules/use-cases.ts';
import { collectNames } from './collect-names.ts';
import type {
  DiskEvidence,
  Evidence,
  HealthEvidence,
  Identity,
  MemoryEvidence,
  MountEvidence,
  NetworkEvidence,
  ReachEvidence,
  ScheduleEvidence,
} from './evidence.ts';
import { listeningSockets } from './sockets.ts';

export interface WhyOptions {
  /** A port, the container's or the host's, that should be reached. */
  port?: number;
  /** A name that the container should be able to look up. */
  resolve?: string;
  /** Another container that it should reach. */
  reach?: { container: string; port?: number };
}

/** Looks at a container and at what is around it. Changes nothing, but for firewall rules that somebody took away. */
export async function collect(
  context: EngineContext,
  record: ContainerRecord,
  options: WhyOptions,
): Promise<Evidence> {
  const { state, config, hostConfig } = record;
  const lastLines = await readLastLines(context, record);
  return {
    nowMs: Date.now(),
    name: record.name,
    image: config.image,
    status: state.status,
    exitCode: state.exitCode,
    error: state.error,
    startedAtMs: state.startedAtMs,
    finishedAtMs: state.finishedAtMs,
    restartCount: record.restartCount,
    manuallyStopped: record.manuallyStopped,
    schedule: collectSchedule(context, record),
    command: [record.path, ...record.args],
    tty: config.tty,
    openStdin: config.openStdin,
    lastLines,
    memory: collectMemory(context, record),
    network: await collectNetwork(context, record, options.port),
    health: collectHealth(record),
    disks: collectDisks(context, record),
    names: await collectNames(context, record, lastLines, options.resolve),
    identity: await collectIdentity(context, record),
    mounts: collectMounts(context, record),
    readonlyRoot: hostConfig.readonlyRootfs,
    reach: options.reach && collectReach(context, record, options.reach),
  };
}

function collectSchedule(context: EngineContext, record: ContainerRecord): ScheduleEvidence | undefined {
  const view = scheduleOf(context, record);
  return view && { cron: view.schedule.cron, paused: view.paused, nextMs: view.nextMs };
}

const keptLines = 50;
/** A line may have been written before the start was written down. */
const startSlackMs = 1000;

/** Of its last run. */
async function readLastLines(context: EngineContext, record: ContainerRecord): Promise<string[]> {
  if (!isReadable(record.hostConfig.logConfig)) return [];
  const lines: string[] = [];
  /** What a stream wrote of a line that is not ended yet. */
  const begun = { stdout: '', stderr: '' };
  const sinceNs = BigInt(Math.max(0, record.state.startedAtMs - startSlackMs)) * 1_000_000n;
  const options = { stdout: true, stderr: true, follow: false, tail: keptLines, sinceNs };
  for await (const records of readLogs(context, record.id, options)) {
    for (let index = 0; index < records.length; index++) {
      const stream = records.stream(index);
      begun[stream] += records.data.toString('utf8', records.textStart(index), records.textEnd(index));
      if (!records.endsLine(index)) continue;
      lines.push(begun[stream].trimEnd());
      begun[stream] = '';
    }
  }
  lines.push(begun.stdout, begun.stderr);
  return lines.filter(line => line !== '').slice(-keptLines);
}

function collectMemory(context: EngineContext, { id, state, hostConfig }: ContainerRecord): MemoryEvidence {
  const limitBytes = hostConfig.memoryBytes;
  if (state.pid === 0) {
    const { oomKilled, memoryPeakBytes } = state;
    return { oomKilled, oomKills: oomKilled ? 1 : 0, limitBytes, peakBytes: memoryPeakBytes };
  }
  const { oomKills, peakBytes } = context.runtime.memoryPressure(id);
  return { oomKilled: false, oomKills, limitBytes, peakBytes };
}

async function collectNetwork(
  context: EngineContext,
  record: ContainerRecord,
  wantedPort: number | undefined,
): Promise<NetworkEvidence> {
  const { id, config, hostConfig, state } = record;
  const { networkMode } = hostConfig;
  const endpoint = context.network.gatewayEndpoint(id) ?? context.network.endpointsOfContainer(id)[0];
  const address = endpoint?.ipv4?.address ?? endpoint?.ipv6?.address ?? '';
  const published = context.network.publishedPorts(id);
  const special = networkMode === 'host' || networkMode === 'none' ? networkMode : 'bridge';
  const tcpPorts = new Set(
    published.filter(({ protocol }) => protocol === 'tcp').map(port => port.containerPort),
  );
  return {
    mode: networkMode.startsWith('container:') ? 'container' : special,
    address,
    exposed: config.exposedPorts,
    published,
    sockets: state.pid === 0 ? [] : listeningSockets(state.pid),
    wantedPort,
    firewallMended: context.network.verify(),
    attempts: await Promise.all(
      [...tcpPorts].map(async port => ({ port, outcome: await tryToConnect(address, port) })),
    ),
  };
}

const connectTimeoutMs = 2000;

function tryToConnect(host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: connectTimeoutMs });
    const finish = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => finish('is accepted'));
    socket.once('timeout', () => finish('gets no answer'));
    socket.once('error', error => finish(errnoOf(error) === 'ECONNREFUSED' ? 'is refused' : error.message));
  });
}

function collectHealth({ config, state }: ContainerRecord): HealthEvidence | undefined {
  const plan = planHealth(config.healthcheck, config.shell ?? ['/bin/sh', '-c']);
  if (plan === undefined || state.health === undefined) return undefined;
  return { ...plan, state: state.health };
}

/** File systems it writes to, each once. */
function collectDisks(context: EngineContext, record: ContainerRecord): DiskEvidence[] {
  const { dataRoot } = context.storage.paths;
  const places: Pick<DiskEvidence, 'what' | 'path' | 'kind'>[] = [
    { what: 'The disk of the data-root', path: dataRoot, kind: 'disk' },
  ];
  for (const mount of record.mounts) {
    if (!mount.readWrite || mount.type === 'tmpfs' || mount.type === 'image') continue;
    const what = mount.type === 'volume' ? `The disk of volume ${mount.name}` : `The disk of ${mount.source}`;
    places.push({ what, path: mount.source, kind: 'disk' });
  }
  const seen = new Set<number>();
  const disks = places.flatMap(place => {
    const device = statSync(place.path, { throwIfNoEntry: false })?.dev;
    if (device === undefined || seen.has(device)) return [];
    seen.add(device);
    return measure(place.path, place);
  });
  return [...disks, ...collectMemoryDisks(record)];
}

function collectMemoryDisks({ state, mounts }: ContainerRecord): DiskEvidence[] {
  if (state.pid === 0) return [];
  const root = `/proc/${state.pid}/root`;
  const targets = ['/dev/shm', ...mounts.filter(({ type }) => type === 'tmpfs').map(({ target }) => target)];
  const mounted = new Set(memoryMountPoints(state.pid));
  return (
    [...new Set(targets)]
      // Nothing but the place of a mount: what lies on the way there is not the container's to change then.
      .filter(target => mounted.has(target))
      .flatMap(target =>
        measure(root + target, { what: target, path: target, kind: target === '/dev/shm' ? 'shm' : 'tmpfs' }),
      )
  );
}

/** Lines of proc_pid_mountinfo(5): `36 35 98:0 /root /mount/point options - type source options`. */
function memoryMountPoints(pid: number): string[] {
  return readOrNothing(`/proc/${pid}/mountinfo`)
    .split('\n')
    .filter(line => line.includes(' - tmpfs '))
    .map(line => line.split(' ')[4] ?? '');
}

function measure(path: string, place: Pick<DiskEvidence, 'what' | 'path' | 'kind'>): DiskEvidence[] {
  try {
    const { bsize, blocks, bavail, files, ffree } = statfsSync(path);
    return [
      {
        ...place,
        totalBytes: blocks * bsize,
        freeBytes: bavail * bsize,
        totalInodes: files,
        freeInodes: ffree,
      },
    ];
  } catch {
    // It ended just now, or what is bound there is gone: then there is nothing to measure.
    return [];
  }
}

async function collectIdentity(
  context: EngineContext,
  record: ContainerRecord,
): Promise<Identity | undefined> {
  const { config, hostConfig, id } = record;
  const mappings = presentMappings(context, record);
  const entered = await enterSnapshot(context, record);
  try {
    const rootfs = context.storage.snapshots.mount(id, { mapped: mappings !== undefined });
    const { uid, gid, additionalGids } = resolveUserIn(rootfs, config.user, hostConfig.groupAdd);
    const hostUid = mappings === undefined ? uid : hostIdOf(uid, mappings.uid);
    const hostGid = mappings === undefined ? gid : hostIdOf(gid, mappings.gid);
    return {
      uid,
      gid,
      groups: additionalGids,
      overridesModes: uid === 0 && overridesModes(hostConfig),
      hostOwner: `${hostUid ?? uid}:${hostGid ?? gid}`,
    };
  } catch {
    // A user that its image does not have: its start says so.
    return undefined;
  } finally {
    await entered.leave();
  }
}

/** Whether its root has CAP_DAC_OVERRIDE, as it does unless it was taken away. */
function overridesModes({ privileged, capAdd, capDrop }: HostConfig): boolean {
  const names = (list: string[]) => list.map(name => name.toUpperCase().replace(/^CAP_/, ''));
  const has = (list: string[]) => names(list).includes('DAC_OVERRIDE');
  if (privileged || has(capAdd)) return true;
  return !has(capDrop) && (!names(capDrop).includes('ALL') || names(capAdd).includes('ALL'));
}

function statMount({ source, subpath }: ResolvedMount): Stats | undefined {
  if (subpath === undefined) return statSync(source, { throwIfNoEntry: false });
  try {
    using part = openVolumePart(source, subpath);
    return statSync(part.path);
  } catch {
    // There is none: nothing is known of it.
    return undefined;
  }
}

/** As the container sees their owners. */
function collectMounts(context: EngineContext, record: ContainerRecord): MountEvidence[] {
  const mappings = presentMappings(context, record);
  return record.mounts.flatMap((mount): MountEvidence[] => {
    if (mount.type === 'tmpfs' || mount.type === 'image') return [];
    const stat = statMount(mount);
    if (stat === undefined) return [];
    const uid = mappings === undefined ? stat.uid : containerIdOf(stat.uid, mappings.uid);
    const gid = mappings === undefined ? stat.gid : containerIdOf(stat.gid, mappings.gid);
    return [
      {
        type: mount.type,
        source: mount.type === 'volume' ? mount.name : mount.source,
        target: mount.target,
        readWrite: mount.readWrite,
        uid,
        gid,
        foreign: mappings !== undefined && uid === overflowId,
        mode: stat.mode & 0o7777,
        directory: stat.isDirectory(),
      },
    ];
  });
}

/** @throws notFound */
function collectReach(
  context: EngineContext,
  record: ContainerRecord,
  { container, port }: { container: string; port?: number },
): ReachEvidence {
  const other = context.containers.get(container);
  const linked = (one: ContainerRecord) =>
    Object.keys(one.endpoints).filter(name => {
      const network = context.network.find(name);
      return network !== undefined && hasLinks(network);
    });
  const [own, others] = [linked(record), linked(other)];
  const endpoints = context.network.endpointsOfContainer(other.id);
  return {
    name: other.name,
    running: other.state.status === 'running',
    port,
    ownNetworks: own,
    otherNetworks: others,
    shared: own
      .filter(name => others.includes(name))
      .map(name => {
        const network = context.network.get(name);
        const interContainer = letsNeighboursTalk(network);
        const endpoint = endpoints.find(({ networkName }) => networkName === name);
        const address = endpoint?.ipv4?.address ?? endpoint?.ipv6?.address ?? '';
        return { name, interContainer, hasNames: !network.predefined, address };
      }),
    sockets: other.state.pid === 0 ? [] : listeningSockets(other.state.pid),
  };
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
