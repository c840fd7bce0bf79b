import type { ContainerConfig as WireConfig } from '../../api/containers.ts';
import type { ContainerConfig } from '../../engine/containers/config.ts';

/** Inspect's Config. @param withMac whether the API version still has MacAddress here (before 1.44) */
export function configToWire(config: ContainerConfig, withMac: boolean): WireConfig {
  const wire: WireConfig = {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.attachStdin,
    AttachStdout: config.attachStdout,
    AttachStderr: config.attachStderr,
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: config.env.length === 0 ? null : config.env,
    Cmd: config.cmd,
    Image: config.image,
    Volumes: config.volumes.length === 0 ? null : keysToObject(config.volumes),
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint,
    OnBuild: config.onBuild ?? null,
    Labels: config.labels,
  };
  if (config.exposedPorts.length > 0) wire.ExposedPorts = keysToObject(config.exposedPorts);
  if (config.healthcheck !== undefined) wire.Healthcheck = config.healthcheck;
  if (config.networkDisabled === true) wire.NetworkDisabled = true;
  if (withMac && config.macAddress !== undefined) wire.MacAddress = config.macAddress;
  if (config.stopSignal !== undefined) wire.StopSignal = config.stopSignal;
  if (config.stopTimeoutS !== undefined) wire.StopTimeout = config.stopTimeoutS;
  if (config.shell !== undefined) wire.Shell = config.shell;
  return wire;
}

function keysToObject(keys: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(keys.map(key => [key, {}]));
}
