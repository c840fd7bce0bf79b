import type { ContainerConfig, CreateRequest, EndpointRequest } from '../../engine/containers/config.ts';
import { EngineError } from '../../stdx/errors.ts';
import { hostConfigFromWire } from './host-config.ts';
import { portKey } from './ports.ts';
import {
  type containerConfig,
  containerConfigFields,
  type createRequest,
  type endpointSettings,
} from './shapes.ts';

type CreateBody = ReturnType<typeof createRequest.read>;
type ConfigBody = ReturnType<typeof containerConfig.read>;
type EndpointBody = ReturnType<typeof endpointSettings.read>;

/** @throws EngineError `invalid`, `notImplemented` naming the field */
export function createRequestFromWire(
  body: CreateBody,
  options: { name: string | undefined; platform: string | undefined },
): CreateRequest {
  const fields = Object.keys(containerConfigFields);
  if (!Object.keys(body).some(key => fields.includes(key))) {
    throw new EngineError('invalid', 'config cannot be empty in order to create a container');
  }
  const endpoints = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  return {
    name: options.name?.replace(/^\//, ''),
    platform: options.platform,
    config: configFromWire(body),
    hostConfig: hostConfigFromWire(body.HostConfig ?? {}),
    endpoints: Object.fromEntries(endpoints.map(([name, endpoint]) => [name, endpointFromWire(endpoint)])),
  };
}

export function configFromWire(body: ConfigBody): ContainerConfig {
  return {
    hostname: body.Hostname ?? '',
    domainname: body.Domainname ?? '',
    user: body.User ?? '',
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    tty: body.Tty ?? false,
    openStdin: body.OpenStdin ?? false,
    stdinOnce: body.StdinOnce ?? false,
    env: body.Env ?? [],
    cmd: body.Cmd ?? null,
    entrypoint: body.Entrypoint ?? null,
    image: body.Image ?? '',
    exposedPorts: Object.keys(body.ExposedPorts ?? {}).map(portKey),
    volumes: Object.keys(body.Volumes ?? {}),
    workingDir: body.WorkingDir ?? '',
    labels: body.Labels ?? {},
    stopSignal: body.StopSignal || undefined,
    stopTimeoutS: body.StopTimeout,
    healthcheck: body.Healthcheck,
    shell: body.Shell,
    networkDisabled: body.NetworkDisabled,
    onBuild: body.OnBuild,
    macAddress: body.MacAddress || undefined,
  };
}

/** @throws EngineError `notImplemented` */
export function endpointFromWire(body: EndpointBody): EndpointRequest {
  const linkLocalIps = body.IPAMConfig?.LinkLocalIPs ?? [];
  return {
    aliases: body.Aliases ?? [],
    links: body.Links ?? [],
    ipv4Address: body.IPAMConfig?.IPv4Address || undefined,
    ipv6Address: body.IPAMConfig?.IPv6Address || undefined,
    macAddress: body.MacAddress || undefined,
    gatewayPriority: body.GwPriority || undefined,
    driverOptions: body.DriverOpts ?? {},
    ...(linkLocalIps.length > 0 && { linkLocalIps }),
  };
}
