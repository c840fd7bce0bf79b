import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT } from '../linux/constants.ts';
import { isMountPoint, mount, unmount } from '../linux/mount.ts';
import { errnoOf } from '../stdx/errors.ts';
import type { StoragePaths } from './paths.ts';

/** A file for a container; owners are the host's ids. */
export interface SecretFile {
  value: Buffer;
  uid: number;
  gid: number;
  mode: number;
}

/**
 * Writes the secrets of one container where the OCI runtime finds them, until `release`: what it has bound into the
 * container lives on, and goes with the container's last process. So nothing is to be given back at the exit, and
 * on the host values are seen only while a container is being made.
 *
 *     <exec-root>/secrets/<container id>/   a tmpfs, read-only, owned by the container's root
 *     ├── 0                                 the first one
 *     └── 1
 *
 * In memory alone: without swap where the kernel can (6.4).
 * @returns paths, in the order of the files
 */
export function writeSecretFiles(
  paths: StoragePaths,
  containerId: string,
  files: readonly SecretFile[],
  owner: { uid: number; gid: number },
): { paths: string[]; release: () => void } {
  const directory = join(paths.secretFiles, containerId);
  const release = () => remove(directory);
  remove(directory);
  try {
    mkdirSync(paths.secretFiles, { recursive: true });
    // With a user namespace, its root passes here.
    chmodSync(paths.secretFiles, 0o711);
    mkdirSync(directory, { mode: 0o700 });
    mountMemory(directory, files, owner);
    const written = files.map((file, index) => writeSecretFile(join(directory, String(index)), file));
    mount({ target: directory, flags: flags | MS_REMOUNT | MS_RDONLY });
    return { paths: written, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** At start: what a killed daemon left. */
export function removeSecretFiles(paths: StoragePaths): void {
  if (!existsSync(paths.secretFiles)) return;
  for (const containerId of readdirSync(paths.secretFiles)) remove(join(paths.secretFiles, containerId));
}

const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/** The largest page there is: no file takes less. */
const pageBytes = 64 * 1024;

function mountMemory(
  target: string,
  files: readonly SecretFile[],
  { uid, gid }: { uid: number; gid: number },
): void {
  const sizeBytes = files.reduce(
    (sum, { value }) => sum + Math.ceil(value.length / pageBytes) * pageBytes,
    0,
  );
  const data = `mode=0700,uid=${uid},gid=${gid},size=${sizeBytes},nr_inodes=${files.length + 1}`;
  const options = { source: 'secrets', target, type: 'tmpfs', flags };
  try {
    mount({ ...options, data: `${data},noswap` });
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error;
    mount({ ...options, data });
  }
}

function writeSecretFile(path: string, { value, uid, gid, mode }: SecretFile): string {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(file, value);
    fchownSync(file, uid, gid);
    fchmodSync(file, mode);
    return path;
  } finally {
    closeSync(file);
  }
}

/** Idempotent. Never recursive: were the container's files there still, they are its own. */
function remove(directory: string): void {
  if (!existsSync(directory)) return;
  if (isMountPoint(directory)) unmount(directory, { detach: true });
  rmdirSync(directory);
}
