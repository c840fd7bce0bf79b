import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { O_PATH } from '../linux/constants.ts';
import { openBeneath } from '../linux/files.ts';
import { isMountPoint, mountDescriptor, unmount } from '../linux/mount.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import type { StoragePaths } from './paths.ts';

/**
 * A part of a volume, for who may see no more of it. Whoever writes into the volume can put a link in the way that
 * leads anywhere on the host, at any time. So the kernel looks for the part below the volume, and what was found is
 * used, not its name.
 */
export interface VolumePart extends Disposable {
  /** Good in this process alone, until it is disposed of. */
  path: string;
  isDirectory: boolean;
}

/** @throws EngineError `notFound`; `invalid` when a link or `..` leads out of the volume */
export function openVolumePart(volume: string, subpath: string): VolumePart {
  const fd = openPart(volume, subpath);
  return {
    path: `/proc/self/fd/${fd}`,
    isDirectory: fstatSync(fd).isDirectory(),
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/**
 * Mounts a part of a volume where the OCI runtime finds it, until `release`: what it has mounted into the container
 * lives on.
 *
 *     <exec-root>/subpaths/<name>   the part, a directory or a file
 *
 * @param name unique among those shown
 * @throws as openVolumePart
 */
export function showVolumePart(
  { subpaths }: StoragePaths,
  name: string,
  { volume, subpath }: { volume: string; subpath: string },
): { path: string; release: () => void } {
  const path = join(subpaths, name);
  const fd = openPart(volume, subpath);
  try {
    remove(path);
    // With a user namespace, its root passes here.
    mkdirSync(subpaths, { recursive: true, mode: 0o711 });
    if (fstatSync(fd).isDirectory()) mkdirSync(path, { mode: 0o711 });
    else writeFileSync(path, '', { mode: 0o644 });
    mountDescriptor(fd, path);
    return { path, release: () => remove(path) };
  } catch (error) {
    remove(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** At start: what a killed daemon left. */
export function removeSubpaths({ subpaths }: StoragePaths): void {
  if (!existsSync(subpaths)) return;
  for (const name of readdirSync(subpaths)) remove(join(subpaths, name));
}

function openPart(volume: string, subpath: string): number {
  try {
    return openBeneath(volume, subpath, O_PATH);
  } catch (error) {
    if (errnoOf(error) === 'EXDEV') {
      throw new EngineError(
        'invalid',
        `path concatenation escapes the base directory, base: ${volume}, subpath: ${subpath}`,
      );
    }
    const reason = reasons[errnoOf(error) ?? ''];
    if (reason === undefined) throw error;
    const path = join(volume, subpath);
    throw new EngineError('notFound', `cannot access path ${path}: lstat ${path}: ${reason}`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
};

/** Idempotent. Never recursive: were something mounted still, nothing of it may be deleted. */
function remove(path: string): void {
  if (!existsSync(path)) return;
  if (isMountPoint(path)) unmount(path, { detach: true });
  if (lstatSync(path).isDirectory()) rmdirSync(path);
  else unlinkSync(path);
}
