import { compareVersions, newestApiVersion, oldestApiVersion } from '../../api/paths.ts';
import type { VersionResponse, SystemInfo as WireInfo } from '../../api/system.ts';
import type { SystemInfo } from '../../engine/system.ts';
import { gantryVersion } from '../versions.ts';

/** Docker Hub, where names without a registry are looked for. */
const officialIndex = 'https://index.docker.io/v1/';

/** The machine's architecture as Go names it. */
export const goArchitectures: Record<string, string> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  i686: '386',
};

export function versionToWire(info: SystemInfo): VersionResponse {
  const architecture = goArchitectures[info.architecture] ?? info.architecture;
  const component = (name: string, version: string) => ({
    Name: name,
    Version: version,
    Details: { GitCommit: '' },
  });
  return {
    Platform: { Name: 'Gantry' },
    Components: [
      {
        Name: 'Engine',
        Version: gantryVersion,
        Details: {
          ApiVersion: newestApiVersion,
          Arch: architecture,
          BuildTime: '',
          Experimental: 'false',
          GitCommit: '',
          GoVersion: `node ${process.versions.node}`,
          KernelVersion: info.kernelVersion,
          MinAPIVersion: oldestApiVersion,
          Os: 'linux',
        },
      },
      component('conmon', info.monitorVersion),
      component(info.defaultRuntime, info.runtimeVersion),
    ],
    Version: gantryVersion,
    ApiVersion: newestApiVersion,
    MinAPIVersion: oldestApiVersion,
    GitCommit: '',
    GoVersion: `node ${process.versions.node}`,
    Os: 'linux',
    Arch: architecture,
    KernelVersion: info.kernelVersion,
    BuildTime: '',
  };
}

export function infoToWire(info: SystemInfo, version: string, nowMs: number): WireInfo {
  const { limits } = info;
  const wire: WireInfo = {
    ID: info.id,
    Containers: info.containers.total,
    ContainersRunning: info.containers.running,
    ContainersPaused: info.containers.paused,
    ContainersStopped: info.containers.stopped,
    Images: info.images,
    Driver: info.storageDriver,
    DriverStatus: info.storageStatus,
    Plugins: {
      Volume: info.volumeDrivers,
      Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
      Authorization: null,
      Log: [...info.logDrivers],
    },
    MemoryLimit: limits.memory,
    SwapLimit: limits.swap,
    CpuCfsPeriod: limits.cpuCfs,
    CpuCfsQuota: limits.cpuCfs,
    CPUShares: limits.cpuShares,
    CPUSet: limits.cpuset,
    PidsLimit: limits.pids,
    IPv4Forwarding: info.ipForwarding,
    Debug: info.debug,
    NFd: info.openFiles,
    OomKillDisable: limits.oomKillDisable,
    // What comes nearest to Go's goroutines: there is one thread of JavaScript.
    NGoroutines: 1,
    SystemTime: new Date(nowMs).toISOString(),
    LoggingDriver: info.logDriver,
    CgroupDriver: info.cgroupDriver,
    CgroupVersion: String(info.cgroupVersion),
    NEventsListener: info.eventListeners,
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSVersion: info.osVersion,
    OSType: 'linux',
    Architecture: info.architecture,
    IndexServerAddress: officialIndex,
    RegistryConfig: registryConfig(info),
    NCPU: info.cpus,
    MemTotal: info.memoryBytes,
    GenericResources: null,
    DockerRootDir: info.dataRoot,
    HttpProxy: info.proxies.http,
    HttpsProxy: info.proxies.https,
    NoProxy: info.proxies.except,
    Name: info.hostName,
    Labels: info.labels,
    ExperimentalBuild: false,
    ServerVersion: gantryVersion,
    Runtimes: Object.fromEntries(
      Object.entries(info.runtimes).map(([name, { path, args }]) => [
        name,
        args.length === 0 ? { path } : { path, runtimeArgs: [...args] },
      ]),
    ),
    DefaultRuntime: info.defaultRuntime,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: info.initPath,
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: info.runtimeVersion },
    InitCommit: { ID: '' },
    SecurityOptions: info.securityOptions,
    FirewallBackend: { Driver: 'nftables' },
    CDISpecDirs: [],
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
  if (compareVersions(version, '1.42') < 0) {
    wire.KernelMemory = false;
    wire.KernelMemoryTCP = false;
  }
  if (compareVersions(version, '1.50') < 0) {
    wire.BridgeNfIptables = info.bridgeFirewall.ipv4;
    wire.BridgeNfIp6tables = info.bridgeFirewall.ipv6;
  }
  if (compareVersions(version, '1.49') < 0) Reflect.deleteProperty(wire, 'FirewallBackend');
  return wire;
}

function registryConfig(info: SystemInfo): WireInfo['RegistryConfig'] {
  const isCidr = (text: string) => text.includes('/');
  const insecure = info.insecureRegistries;
  const hosts = insecure.filter(text => !isCidr(text));
  const entry = (name: string, secure: boolean) => ({
    Name: name,
    Mirrors: [],
    Secure: secure,
    Official: false,
  });
  return {
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', ...insecure.filter(isCidr)],
    IndexConfigs: {
      'docker.io': { Name: 'docker.io', Mirrors: info.registryMirrors, Secure: true, Official: true },
      ...Object.fromEntries(hosts.map(host => [host, entry(host, false)])),
    },
    Mirrors: info.registryMirrors,
  };
}
