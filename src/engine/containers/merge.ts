import { posix } from 'node:path';
import type { ImageRunConfig } from '../../oci/image.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ContainerConfig } from './config.ts';

/**
 * The caller's configuration over the image's, by Docker's rules (runconfig Merge): the caller wins field by field;
 * environment, labels, ports and volumes are united; an entrypoint of the caller's drops the image's command.
 * @throws invalid when neither says what to run
 */
export function mergeConfig(asked: ContainerConfig, image: ImageRunConfig): ContainerConfig {
  const merged: ContainerConfig = {
    ...asked,
    user: asked.user || image.User || '',
    workingDir: cleanPath(asked.workingDir) || image.WorkingDir || '',
    env: underlayEnvironment(asked.env, image.Env ?? []),
    labels: { ...(image.Labels ?? {}), ...asked.labels },
    exposedPorts: union(asked.exposedPorts, Object.keys(image.ExposedPorts ?? {})),
    volumes: union(asked.volumes, Object.keys(image.Volumes ?? {})),
    stopSignal: asked.stopSignal ?? image.StopSignal,
    healthcheck: mergeHealthcheck(asked.healthcheck, image.Healthcheck),
    shell: asked.shell ?? image.Shell ?? undefined,
    onBuild: image.OnBuild ?? undefined,
    ...mergeCommand(asked, image),
  };
  if ((merged.entrypoint ?? []).length === 0 && (merged.cmd ?? []).length === 0) {
    throw new EngineError('invalid', 'No command specified');
  }
  return merged;
}

/** As Go's filepath.Clean, but for the empty path. */
function cleanPath(path: string): string {
  return path === '' ? '' : posix.normalize(path).replace(/(?<=.)\/$/, '');
}

function mergeCommand(
  asked: ContainerConfig,
  image: ImageRunConfig,
): Pick<ContainerConfig, 'cmd' | 'entrypoint'> {
  let { cmd, entrypoint } = asked;
  if ((entrypoint ?? []).length === 0) {
    if ((cmd ?? []).length === 0) cmd = image.Cmd ?? null;
    if (entrypoint === null) entrypoint = image.Entrypoint ?? null;
  }
  // `--entrypoint ""` arrives as [""] and means: none at all.
  if (entrypoint?.length === 1 && entrypoint[0] === '') entrypoint = null;
  return { cmd, entrypoint };
}

/** The caller's variables, then those of the image that the caller does not mention. */
function underlayEnvironment(asked: readonly string[], image: readonly string[]): string[] {
  const named = new Set(asked.map(variableName));
  return [...asked, ...image.filter(entry => !named.has(variableName(entry)))];
}

/** Later entries win and keep the earlier one's place; an entry without `=` removes the variable. */
export function mergeEnvironment(base: readonly string[], overrides: readonly string[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of base) merged.set(variableName(entry), entry);
  for (const entry of overrides) {
    if (entry.includes('=')) merged.set(variableName(entry), entry);
    else merged.delete(entry);
  }
  return [...merged.values()];
}

function mergeHealthcheck(
  asked: ContainerConfig['healthcheck'],
  image: ImageRunConfig['Healthcheck'],
): ContainerConfig['healthcheck'] {
  if (asked === undefined) return image;
  if (image === undefined) return asked;
  return {
    Test: asked.Test?.length ? asked.Test : image.Test,
    Interval: asked.Interval || image.Interval,
    Timeout: asked.Timeout || image.Timeout,
    StartPeriod: asked.StartPeriod || image.StartPeriod,
    StartInterval: asked.StartInterval || image.StartInterval,
    Retries: asked.Retries || image.Retries,
  };
}

/** Of `NAME=value`, or of `NAME` alone. */
export function variableName(entry: string): string {
  const equals = entry.indexOf('=');
  return equals === -1 ? entry : entry.slice(0, equals);
}

function union(first: readonly string[], second: readonly string[]): string[] {
  return [...new Set([...first, ...second])];
}
