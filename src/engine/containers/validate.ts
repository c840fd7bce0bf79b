import { parseExtraHost } from '../../network/network-files.ts';
import { parseHostPort } from '../../network/ports/plan.ts';
import { knownCapabilities, normalizeCapabilities } from '../../runtime/capabilities.ts';
import { EngineError, within } from '../../stdx/errors.ts';
import { validateBandwidth } from './bandwidth.ts';
import type { ContainerConfig, EndpointRequest, HostConfig } from './config.ts';
import { readSecurityOptions } from './security-options.ts';
import { parseStopSignal } from './signals.ts';

/**
 * Checks what the caller wants to run, before the image's configuration is put under it.
 * @throws invalid, in Docker's words
 */
export function validateContainerConfig(config: ContainerConfig): void {
  if (config.workingDir !== '' && !config.workingDir.startsWith('/')) {
    throw new EngineError(
      'invalid',
      `the working directory '${config.workingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  for (const variable of config.env) {
    if (variable !== '' && !variable.startsWith('=')) continue;
    throw new EngineError('invalid', `invalid environment variable: ${variable}`);
  }
  if (config.stopSignal) parseStopSignal(config.stopSignal);
  validateHealthcheck(config.healthcheck);
}

function validateHealthcheck(check: ContainerConfig['healthcheck']): void {
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const nanoseconds = check?.[name] ?? 0;
    if (nanoseconds === 0 || nanoseconds >= 1e6) continue;
    throw new EngineError('invalid', `${name} in Healthcheck cannot be less than 1ms`);
  }
  if ((check?.Retries ?? 0) < 0) {
    throw new EngineError('invalid', 'Retries in Healthcheck cannot be negative');
  }
}

const anyAddress = '0.0.0.0';

/**
 * Checks what cannot be right on any machine and what this engine does not do.
 * @throws invalid or notImplemented, in Docker's words where it has some
 */
export function validateHostConfig(hostConfig: HostConfig, config: ContainerConfig): void {
  validateNamespaces(hostConfig, config);
  validateBandwidth(hostConfig);
  validateRestartPolicy(hostConfig);
  validateCapabilities(hostConfig);
  readSecurityOptions(hostConfig.securityOpt);
  const { oomScoreAdj } = hostConfig;
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000) {
    throw new EngineError(
      'invalid',
      `Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`,
    );
  }
  if (hostConfig.usernsMode !== '' && hostConfig.usernsMode !== 'host') {
    throw new EngineError('invalid', `invalid user namespace mode: ${hostConfig.usernsMode}`);
  }
  for (const host of hostConfig.extraHosts) {
    const colon = host.indexOf(':');
    if (colon <= 0 || colon === host.length - 1) {
      throw new EngineError('invalid', `bad format for add-host: "${host}"`);
    }
    // Which address the host has is asked at the start.
    parseExtraHost(host, anyAddress);
  }
  for (const binding of Object.values(hostConfig.portBindings).flat()) parseHostPort(binding.hostPort);
  if ('' in hostConfig.annotations) {
    throw new EngineError(
      'invalid',
      'invalid Annotations: the empty string is not permitted as an annotation key',
    );
  }
  if (hostConfig.maskedPaths !== undefined && hostConfig.privileged && hostConfig.maskedPaths.length > 0) {
    throw new EngineError('invalid', 'masked paths cannot be set on a privileged container');
  }
}

function validateCapabilities({ capAdd, capDrop }: HostConfig): void {
  for (const [field, names] of [
    ['CapAdd', capAdd],
    ['CapDrop', capDrop],
  ] as const) {
    try {
      // Whether this machine has it is found out at the start.
      normalizeCapabilities(names, knownCapabilities);
    } catch (error) {
      throw within(`invalid ${field}`, error);
    }
  }
}

function validateNamespaces(hostConfig: HostConfig, config: ContainerConfig): void {
  const network = hostConfig.networkMode;
  if (network === 'container:') {
    throw new EngineError('invalid', 'Invalid network mode: invalid container format container:<name|id>');
  }
  const conflict = (message: string) => new EngineError('invalid', `conflicting options: ${message}`);
  if (network.startsWith('container:')) {
    if (hostConfig.links.length > 0)
      throw conflict(
        "container type network can't be used with links. This would result in undefined behavior",
      );
    if (hostConfig.dns.length > 0) throw conflict('dns and the network mode');
    if (hostConfig.extraHosts.length > 0) throw conflict('custom host-to-IP mapping and the network mode');
    if (Object.keys(hostConfig.portBindings).length > 0 || hostConfig.publishAllPorts) {
      throw conflict('port publishing and the container type network mode');
    }
    if (config.exposedPorts.length > 0) {
      throw conflict('port exposing and the container type network mode');
    }
  }
  if (network === 'host' && hostConfig.links.length > 0) {
    throw conflict("host type networking can't be used with links. This would result in undefined behavior");
  }
  for (const [what, mode, allowed] of [
    ['IPC', hostConfig.ipcMode, ['', 'private', 'shareable', 'none', 'host']],
    ['PID', hostConfig.pidMode, ['', 'host']],
    ['UTS', hostConfig.utsMode, ['', 'host']],
    ['cgroup namespace', hostConfig.cgroupnsMode, ['', 'private', 'host']],
  ] as const) {
    const known = (allowed as readonly string[]).includes(mode);
    const shares = what !== 'UTS' && what !== 'cgroup namespace' && /^container:.+/.test(mode);
    if (what === 'IPC' && mode === 'container:') {
      throw new EngineError('invalid', `can't join IPC of container : invalid name or ID supplied: ""`);
    }
    if (!known && !shares) throw new EngineError('invalid', `invalid ${what} mode: ${mode}`);
  }
  if (hostConfig.utsMode === 'host' && config.hostname !== '') {
    throw conflict('hostname and the UTS mode');
  }
}

function validateRestartPolicy(hostConfig: HostConfig): void {
  const { name, maximumRetryCount } = hostConfig.restartPolicy;
  if (maximumRetryCount < 0) throw new EngineError('invalid', 'maximum retry count cannot be negative');
  if (maximumRetryCount > 0 && name !== 'on-failure') {
    throw new EngineError('invalid', `maximum retry count cannot be used with restart policy '${name}'`);
  }
  if (hostConfig.autoRemove && name !== 'no') {
    throw new EngineError('invalid', "can't create 'AutoRemove' container with restart policy");
  }
}

/** @throws invalid when the same container shall be on a special network and on others */
export function validateEndpoints(networkMode: string, endpoints: Record<string, EndpointRequest>): void {
  const special = networkMode === 'host' || networkMode === 'none' || networkMode.startsWith('container:');
  const others = Object.keys(endpoints).filter(name => name !== networkMode);
  if (special && others.length > 0) {
    throw new EngineError(
      'invalid',
      `conflicting options: cannot attach both user-defined and non-user-defined network-modes`,
    );
  }
}
