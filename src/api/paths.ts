/**
 * Paths of the Engine API. Every path may carry a version in front: `/v1.41/containers/json`; without one the
 * newest version is meant.
 */

/** What Gantry speaks at most, and the oldest it still answers. */
export const newestApiVersion = '1.50';
export const oldestApiVersion = '1.24';

/** Stands in for a `Content-Type` on hijacked connections where stdout and stderr share one TTY. */
export const rawStreamType = 'application/vnd.docker.raw-stream';
/** Hijacked connections and logs whose stdout and stderr come apart in frames (frames.ts). */
export const multiplexedStreamType = 'application/vnd.docker.multiplexed-stream';

/** Base64url JSON of RegistryAuth, on pull and push. */
export const registryAuthHeader = 'X-Registry-Auth';
/** Base64url JSON of registry host -> RegistryAuth, on build. */
export const registryConfigHeader = 'X-Registry-Config';
/** Base64 JSON of ContainerPathStat, on HEAD and GET of a container's archive. */
export const pathStatHeader = 'X-Docker-Container-Path-Stat';

/** Negative, zero or positive, as `1.9` is older than `1.41`. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}
