import { listMounts, type MountEntry } from '../linux/mount.ts';
import { EngineError } from '../stdx/errors.ts';

/**
 * A mount that passes events on must lie on one that has some to pass (moby, daemon/oci_linux.go, ensureShared and
 * ensureSharedOrSlave); the kernel takes it silently, and nothing would ever arrive.
 * @throws EngineError `internal`, in Docker's words
 */
export function requirePropagation(path: string, propagation: string): void {
  const kind = propagation.replace(/^r/, '');
  if (kind !== 'shared' && kind !== 'slave') return;
  const mount = mountOf(path, listMounts());
  if (mount === undefined) return;
  const isShared = mount.propagation.some(entry => entry.startsWith('shared:'));
  const isSlave = mount.propagation.some(entry => entry.startsWith('master:'));
  if (isShared || (kind === 'slave' && isSlave)) return;
  const wanted = kind === 'shared' ? 'a shared' : 'a shared or slave';
  throw new EngineError(
    'internal',
    `path ${path} is mounted on ${mount.mountPoint} but it is not ${wanted} mount`,
  );
}

/** The mount a path lies on: the deepest one above it, and of several at one place the latest. */
export function mountOf(path: string, mounts: readonly MountEntry[]): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const mount of mounts) {
    const { mountPoint } = mount;
    const above = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
    if (above && mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount;
  }
  return best;
}
