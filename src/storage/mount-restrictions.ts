import { mountRestrictions } from '../linux/mount.ts';
import { errnoOf } from '../stdx/errors.ts';

/** What the mount that holds a source does not let do: `ro`, `nosuid`, `nodev`, `noexec`. Nothing of what is missing. */
export function sourceRestrictions(path: string): string[] {
  try {
    return mountRestrictions(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
