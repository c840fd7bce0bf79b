import type { HostFacts } from './host-facts.ts';
import type { RuntimeInfo } from './probe.ts';

/** The first versions that take the mount option `rro`. */
const firstVersions: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  crun: [1, 4],
  runc: [1, 1],
};

/**
 * Making a mount read-only with all that is below it takes mount_setattr(2) and an OCI runtime that uses it.
 * @returns why it cannot be done; undefined when it can
 */
export function recursiveReadOnlyObstacle(
  { kernel }: Pick<HostFacts, 'kernel'>,
  runtime: Pick<RuntimeInfo, 'name' | 'implementation' | 'version'> | undefined,
): string | undefined {
  if (!isAtLeast([kernel.major, kernel.minor], [5, 12])) {
    return `rro is not supported: kernel ${kernel.major}.${kernel.minor} is older than 5.12`;
  }
  const first = firstVersions[runtime?.implementation ?? ''];
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(runtime?.version ?? '') ?? [];
  if (first !== undefined && major !== undefined && isAtLeast([Number(major), Number(minor)], first))
    return undefined;
  return `rro is not supported by runtime "${runtime?.name ?? 'unknown'}": OCI features do not name it`;
}

function isAtLeast([major, minor]: readonly [number, number], wanted: readonly [number, number]): boolean {
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}
