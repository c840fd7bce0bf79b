import { mkdirSync } from 'node:fs';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../linux/constants.ts';
import { isMountPoint, mount, unmount } from '../linux/mount.ts';

/**
 * A tmpfs that several containers have as /dev/shm (`--ipc shareable`): each binds it. One that only one container has
 * is mounted by the OCI runtime in the container itself. Idempotent.
 */
export function mountSharedMemory(
  directory: string,
  sizeBytes: number,
  owner: { uid: number; gid: number } = { uid: 0, gid: 0 },
): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (isMountPoint(directory)) return;
  mount({
    source: 'shm',
    target: directory,
    type: 'tmpfs',
    flags: MS_NOSUID | MS_NOEXEC | MS_NODEV,
    data: `mode=1777,size=${sizeBytes},uid=${owner.uid},gid=${owner.gid}`,
  });
}

/** Containers that still have it keep it. Idempotent. */
export function unmountSharedMemory(directory: string): void {
  if (isMountPoint(directory)) unmount(directory, { detach: true });
}
