import type { ContainerInspect, NetworkSettings, ContainerState as WireState } from '../../api/containers.ts';
import type { EndpointSettings } from '../../api/networks.ts';
import { compareVersions } from '../../api/paths.ts';
import type { EndpointRequest } from '../../engine/containers/config.ts';
import type { ContainerState } from '../../engine/containers/container.ts';
import type { ContainerInspection, EndpointView } from '../../engine/engine.ts';
import { configToWire } from './container-config.ts';
import { hostConfigToWire, orNull } from './host-config.ts';
import { mountPoints } from './mounts.ts';
import { goTime } from './time.ts';

/** `GET /containers/{id}/json`, with the fields of the API version asked for. */
export function inspectToWire(inspection: ContainerInspection, version: string): ContainerInspect {
  const { record, paths, sizes } = inspection;
  const older = (than: string) => compareVersions(version, than) < 0;
  return {
    Id: record.id,
    Created: goTime(record.createdAtMs),
    Path: record.path,
    Args: record.args,
    State: stateToWire(record.state),
    Image: record.imageId,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    // What is captured is nobody's to read: its name and form may change.
    LogPath: record.hostConfig.logConfig.type === 'json-file' ? paths.jsonLog : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: record.driver,
    Platform: record.platform.os,
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: appArmorProfileOf(record.hostConfig.securityOpt),
    ExecIDs: orNull(inspection.execIds),
    HostConfig: {
      ...hostConfigToWire(record.hostConfig),
      Links: orNull(inspection.links),
      // Gone from the API with cgroup v2.
      ...(older('1.42') ? { KernelMemory: 0, KernelMemoryTCP: 0 } : {}),
    },
    GraphDriver: {
      Data: {
        LowerDir: inspection.lowerDirectories.join(':'),
        MergedDir: inspection.mergedDirectory,
        UpperDir: inspection.upperDirectory,
        WorkDir: inspection.workDirectory,
      },
      Name: record.driver,
    },
    ...(sizes === undefined ? {} : { SizeRw: sizes.rwBytes, SizeRootFs: sizes.rootBytes }),
    Mounts: mountPoints(record.mounts),
    Config: configToWire(record.config, older('1.44')),
    NetworkSettings: networkSettings(inspection, version),
  };
}

export function stateToWire(state: ContainerState): WireState {
  const { status } = state;
  const wire: WireState = {
    Status: status,
    // In Docker a paused or restarting container counts as running.
    Running: isUp(status),
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: goTime(state.startedAtMs),
    FinishedAt: goTime(state.finishedAtMs),
  };
  if (state.health !== undefined) {
    wire.Health = {
      Status: state.health.status,
      FailingStreak: state.health.failingStreak,
      Log: state.health.log.map(check => ({
        Start: goTime(check.startMs),
        End: goTime(check.endMs),
        ExitCode: check.exitCode,
        Output: check.output,
      })),
    };
  }
  return wire;
}

export function isUp(status: ContainerState['status']): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

function networkSettings(inspection: ContainerInspection, version: string): NetworkSettings {
  const { networks, record } = inspection;
  // The oldest part of the API: the default network's addresses once more, outside of Networks.
  const bridge = networks.find(network => network.networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: inspection.sandboxId,
    SandboxKey: inspection.sandboxKey,
    Ports: portsToWire(inspection.ports),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.endpointId ?? '',
    Gateway: bridge?.gateway ?? '',
    GlobalIPv6Address: bridge?.globalIpv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.globalIpv6PrefixLength ?? 0,
    IPAddress: bridge?.ipAddress ?? '',
    IPPrefixLen: bridge?.ipPrefixLength ?? 0,
    IPv6Gateway: bridge?.ipv6Gateway ?? '',
    MacAddress: bridge?.macAddress ?? '',
    Networks: Object.fromEntries(
      networks.map(network => [network.networkName, endpointToWire(network, version, record)]),
    ),
  };
}

function portsToWire(ports: ContainerInspection['ports']): NetworkSettings['Ports'] {
  return Object.fromEntries(
    Object.entries(ports).map(([port, bindings]) => [
      port,
      bindings?.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: hostPort })) ?? null,
    ]),
  );
}

/** @param owner its short id, and its hostname when it has another, were among the aliases before API 1.45 */
export function endpointToWire(
  view: EndpointView,
  version: string,
  owner: ContainerInspection['record'],
): EndpointSettings {
  const newer = (version_: string) => compareVersions(version, version_) >= 0;
  const userDefined = !['bridge', 'host', 'none'].includes(view.networkName);
  const aliases =
    newer('1.45') || !userDefined
      ? view.aliases
      : [...new Set([...view.aliases, owner.id.slice(0, 12), owner.config.hostname])];
  const settings = {
    IPAMConfig: ipamConfig(view.request),
    Links: orNull(view.links),
    Aliases: orNull(aliases),
    ...(newer('1.44') ? { MacAddress: view.macAddress, DriverOpts: driverOptions(view) } : {}),
    ...(newer('1.48') ? { GwPriority: view.request.gatewayPriority ?? 0 } : {}),
    NetworkID: view.networkId,
    EndpointID: view.endpointId,
    Gateway: view.gateway,
    IPAddress: view.ipAddress,
    IPPrefixLen: view.ipPrefixLength,
    IPv6Gateway: view.ipv6Gateway,
    GlobalIPv6Address: view.globalIpv6Address,
    GlobalIPv6PrefixLen: view.globalIpv6PrefixLength,
    // Where newer versions have them further up.
    ...(newer('1.44') ? {} : { MacAddress: view.macAddress, DriverOpts: driverOptions(view) }),
    DNSNames: orNull(view.dnsNames),
  };
  if (!newer('1.44')) Reflect.deleteProperty(settings, 'DNSNames');
  return settings as EndpointSettings;
}

function driverOptions(view: EndpointView): Record<string, string> | null {
  const { driverOptions: options } = view.request;
  return Object.keys(options).length === 0 ? null : options;
}

export function ipamConfig(request: EndpointRequest): EndpointSettings['IPAMConfig'] {
  const { ipv4Address, ipv6Address, linkLocalIps } = request;
  if (ipv4Address === undefined && ipv6Address === undefined && linkLocalIps === undefined) return null;
  return {
    ...(ipv4Address === undefined ? {} : { IPv4Address: ipv4Address }),
    ...(ipv6Address === undefined ? {} : { IPv6Address: ipv6Address }),
    ...(linkLocalIps === undefined ? {} : { LinkLocalIPs: linkLocalIps }),
  };
}

/** The one asked for, also where the kernel has no AppArmor. */
function appArmorProfileOf(securityOptions: readonly string[]): string {
  const asked = securityOptions.findLast(option => /^apparmor[=:]/.test(option));
  return asked === undefined ? '' : asked.slice('apparmor='.length);
}
