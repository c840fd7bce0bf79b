import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, hostname, machine, release, totalmem } from 'node:os';
import type { Builder } from '../build/builder.ts';
import type { CacheRecord } from '../build/cache.ts';
import type { PruneOptions } from '../build/prune-plan.ts';
import { type Proxies, withoutSecrets } from '../distribution/proxies.ts';
import type { ImageServices } from '../images/services.ts';
import type { Digest } from '../oci/digest.ts';
import type { KernelLimits } from '../runtime/kernel-limits.ts';
import { logDriverNames } from '../runtime/logs/log-drivers.ts';
import type { RuntimeChoice } from '../runtime/probe.ts';
import { fileSystemName } from '../storage/file-system-name.ts';
import { containerSize } from './containers/inspect.ts';
import type { EngineContext } from './context.ts';
import { unlessMeanwhile } from './meanwhile.ts';
import { type ReloadableSettings, reloadSettings } from './reload.ts';

/** Which daemon on which machine this is. */
export interface Identity {
  id: string;
  architecture: string;
  hostName: string;
}

/** Facts for `info`, `version` and `system df`, domain side. */
export interface SystemInfo extends Identity {
  containers: { total: number; running: number; paused: number; stopped: number };
  images: number;
  volumeDrivers: string[];
  storageDriver: string;
  storageStatus: [string, string][];
  logDriver: string;
  logDrivers: readonly string[];
  cgroupDriver: 'cgroupfs' | 'systemd';
  cgroupVersion: 1 | 2;
  kernelVersion: string;
  operatingSystem: string;
  osVersion: string;
  cpus: number;
  memoryBytes: number;
  dataRoot: string;
  runtimes: Record<string, { path: string; args: readonly string[] }>;
  defaultRuntime: string;
  runtimeVersion: string;
  monitorVersion: string;
  securityOptions: string[];
  warnings: string[];
  debug: boolean;
  labels: string[];
  openFiles: number;
  eventListeners: number;
  /** Without user names and passwords. */
  proxies: Proxies;
  registryMirrors: string[];
  insecureRegistries: string[];
  ipForwarding: boolean;
  /** The kernel lets packets between ports of a bridge pass its firewall; false also where br_netfilter is not loaded. */
  bridgeFirewall: { ipv4: boolean; ipv6: boolean };
  /** Path of the program for `--init`; '' when the host has none. */
  initPath: string;
  startedAtMs: number;
  limits: KernelLimits;
}

/** Since the daemon was started. */
export interface EngineCounters {
  events: number;
  healthChecks: number;
  healthChecksFailed: number;
}

export interface DiskUsage {
  layersBytes: number;
  images: { id: string; sharedBytes: number; sizeBytes: number; containers: number }[];
  containers: { id: string; rwBytes: number; rootBytes: number }[];
  volumes: { name: string; sizeBytes: number; references: number }[];
  buildCache: CacheRecord[];
}

export interface SystemUseCases {
  /** @returns what has changed @throws EngineError `invalid`; then nothing has */
  reload(settings: ReloadableSettings, choice: RuntimeChoice): Promise<string[]>;
  info(): Promise<SystemInfo>;
  /** A part of the above, for those who ask at every build: nothing is looked at for it. */
  identity(): Identity;
  counters(): EngineCounters;
  diskUsage(): Promise<DiskUsage>;
  pruneBuildCache(options: PruneOptions): Promise<{ deleted: string[]; reclaimedBytes: number }>;
}

export function systemUseCases(
  context: EngineContext,
  builder: Builder,
  services: ImageServices,
  startedAtMs: number,
): SystemUseCases {
  return {
    reload: (settings, choice) => reloadSettings(context, services, settings, choice),
    info: async () => readInfo(context, startedAtMs),
    identity: () => identityOf(context),
    counters: () => ({
      events: context.events.publishedCount,
      healthChecks: context.health.counts.checks,
      healthChecksFailed: context.health.counts.failed,
    }),
    diskUsage: () => diskUsage(context, builder),
    async pruneBuildCache(options) {
      const result = await builder.prune(options);
      context.events.publish('builder', 'prune', '', { reclaimed: String(result.reclaimedBytes) });
      return result;
    },
  };
}

function overlayStatus(): [string, string][] {
  return [
    ['Supports d_type', 'true'],
    ['Using metacopy', String(readText('/sys/module/overlay/parameters/metacopy').trim() === 'Y')],
    ['Native Overlay Diff', 'true'],
    // Only mounts made without root need it.
    ['userxattr', 'false'],
  ];
}

function identityOf({ storage }: EngineContext): Identity {
  return { id: storage.id, architecture: machine(), hostName: hostname() };
}

function readInfo(context: EngineContext, startedAtMs: number): SystemInfo {
  const { settings, runtime, storage } = context;
  const records = context.containers.list();
  const count = (...statuses: string[]) =>
    records.filter(record => statuses.includes(record.state.status)).length;
  const running = count('running', 'restarting');
  const paused = count('paused');
  const { limits } = runtime.host;
  return {
    ...identityOf(context),
    containers: { total: records.length, running, paused, stopped: records.length - running - paused },
    images: context.images.count,
    volumeDrivers: storage.volumes.drivers(),
    storageDriver: storage.snapshots.driver,
    storageStatus: [
      ['Backing Filesystem', fileSystemName(storage.paths.dataRoot)],
      ...(storage.snapshots.driver === 'overlay2' ? overlayStatus() : []),
    ],
    logDriver: settings.logDriver,
    logDrivers: logDriverNames,
    cgroupDriver: 'cgroupfs',
    cgroupVersion: runtime.info.cgroupVersion,
    kernelVersion: release(),
    ...operatingSystem(),
    cpus: cpus().length,
    memoryBytes: totalmem(),
    dataRoot: storage.paths.dataRoot,
    runtimes: Object.fromEntries(
      [...runtime.runtimes].map(([name, { path, args }]) => [name, { path, args }]),
    ),
    defaultRuntime: runtime.info.name,
    runtimeVersion: runtime.info.version,
    monitorVersion: runtime.conmonVersion,
    securityOptions: [
      `name=seccomp,profile=${settings.seccomp.name}`,
      ...(storage.mapped === undefined ? [] : ['name=userns']),
      ...(runtime.info.cgroupVersion === 2 ? ['name=cgroupns'] : []),
      ...(settings.noNewPrivileges ? ['name=no-new-privileges'] : []),
    ],
    warnings: warningsOf(limits),
    debug: settings.debug,
    labels: settings.labels,
    openFiles: readdirSync('/proc/self/fd').length,
    eventListeners: context.events.listenerCount,
    proxies: {
      http: withoutSecrets(settings.proxies.http),
      https: withoutSecrets(settings.proxies.https),
      except: settings.proxies.except,
    },
    // As dockerd shows them.
    registryMirrors: settings.registryMirrors.map(mirror => mirror.replace(/\/?$/, '/')),
    insecureRegistries: settings.insecureRegistries,
    ipForwarding: isOn('/proc/sys/net/ipv4/ip_forward'),
    bridgeFirewall: {
      ipv4: isOn('/proc/sys/net/bridge/bridge-nf-call-iptables'),
      ipv6: isOn('/proc/sys/net/bridge/bridge-nf-call-ip6tables'),
    },
    initPath: settings.initPath ?? '',
    startedAtMs,
    limits,
  };
}

function warningsOf(limits: KernelLimits): string[] {
  const warnings: string[] = [];
  if (!limits.memory) warnings.push('WARNING: No memory limit support');
  if (!limits.swap) warnings.push('WARNING: No swap limit support');
  if (!limits.cpuCfs) warnings.push('WARNING: No cpu cfs quota support');
  if (!limits.cpuShares) warnings.push('WARNING: No cpu shares support');
  if (!limits.cpuset) warnings.push('WARNING: No cpuset support');
  if (!limits.pids) warnings.push('WARNING: No pids limit support');
  return warnings;
}

async function diskUsage(context: EngineContext, builder: Builder): Promise<DiskUsage> {
  const images = context.images.list();
  const records = context.containers.list();
  const { layers, volumes } = context.storage;
  const layerUsers = new Map<string, number>();
  const layerSizes = new Map<string, number>();
  for (const image of images) {
    if (image.chainId === undefined) continue;
    for (const layer of layers.chain(image.chainId)) {
      layerUsers.set(layer.chainId, (layerUsers.get(layer.chainId) ?? 0) + 1);
      layerSizes.set(layer.chainId, layer.sizeBytes);
    }
  }
  const sharedOf = (chainId: Digest | undefined) =>
    chainId === undefined
      ? 0
      : layers
          .chain(chainId)
          .filter(layer => (layerUsers.get(layer.chainId) ?? 0) > 1)
          .reduce((sum, layer) => sum + layer.sizeBytes, 0);
  return {
    layersBytes: [...layerSizes.values()].reduce((sum, size) => sum + size, 0),
    images: images.map(image => ({
      id: image.id,
      sharedBytes: sharedOf(image.chainId),
      sizeBytes: image.sizeBytes,
      containers: records.filter(record => record.imageId === image.id).length,
    })),
    containers: await measured(records, async record => ({
      id: record.id,
      ...(await containerSize(context, record)),
    })),
    volumes: await measured(volumes.listOwn(), async ({ name }) => ({
      name,
      sizeBytes: await volumes.sizeOf(name),
      references: context.containers.usersOfVolume(name).length,
    })),
    buildCache: await builder.usage.list(),
  };
}

/** All at once, and without what is gone by then. */
async function measured<T, R>(things: readonly T[], measure: (thing: T) => Promise<R>): Promise<R[]> {
  const found = await Promise.all(things.map(thing => unlessMeanwhile(() => measure(thing))));
  return found.filter(one => one !== undefined);
}

/** PRETTY_NAME and VERSION_ID of os-release(5). */
function operatingSystem(): { operatingSystem: string; osVersion: string } {
  const text = readText('/etc/os-release');
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { operatingSystem: value('PRETTY_NAME') || 'Linux', osVersion: value('VERSION_ID') };
}

function isOn(sysctlPath: string): boolean {
  return readText(sysctlPath).trim() === '1';
}

/** '' when the file is not there: such facts are shown, nothing depends on them. */
function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
