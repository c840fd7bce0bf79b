import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { TarHeader } from '../../archive/tar-header.ts';
import { readTar } from '../../archive/tar-reader.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';

/**
 * Unpacks an archive a container gave us. It is not trusted: names that climb are refused, and no entry is written
 * through a symbolic link, so nothing outside `root` can be reached.
 *
 * @param rename the name below root for an entry's name; undefined leaves it out
 * @returns bytes of content written
 */
export async function unpackInto(
  root: string,
  source: AsyncIterable<Uint8Array>,
  rename: (name: string) => string | undefined,
  { owners }: { owners: boolean },
): Promise<number> {
  const directories: { path: string; header: TarHeader }[] = [];
  let bytes = 0;
  for await (const { header, body } of readTar(source)) {
    const name = rename(header.name)?.replace(/\/+$/, '');
    if (name === undefined) continue;
    const path = safePath(root, name);
    if (header.type === 'file') bytes += await writeFile(path, header, body);
    else if (header.type === 'directory') {
      makeDirectory(path);
      directories.push({ path, header });
    } else writeSpecial(path, header, target => safePath(root, rename(target) ?? ''));
    if (owners) lchownSync(path, header.uid, header.gid);
    if (header.type === 'symlink') lutimesSync(path, seconds(header), seconds(header));
    else if (header.type === 'file') finish(path, header);
  }
  // Last, or files written into them would change their times, and read-only ones could not be filled.
  for (const { path, header } of directories.reverse()) finish(path, header);
  return bytes;
}

function safePath(root: string, name: string): string {
  const parts = name.split('/').filter(part => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new EngineError(
      'invalid',
      `invalid tar entry: ${JSON.stringify(name)} leads out of the destination`,
    );
  let path = root;
  for (const part of parts.slice(0, -1)) {
    path = join(path, part);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) mkdirSync(path);
    else if (!stat.isDirectory())
      throw new EngineError(
        'invalid',
        `invalid tar entry: ${JSON.stringify(name)} goes through ${path}, which is no directory`,
      );
  }
  return join(root, ...parts);
}

function makeDirectory(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return;
  if (stat !== undefined) rmSync(path);
  mkdirSync(path, { mode: 0o700 });
}

async function writeFile(path: string, header: TarHeader, body: AsyncIterable<Buffer>): Promise<number> {
  removeFile(path);
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    for await (const chunk of body) writeSync(descriptor, chunk);
  } finally {
    closeSync(descriptor);
  }
  return header.size;
}

function writeSpecial(path: string, header: TarHeader, resolve: (name: string) => string): void {
  removeFile(path);
  if (header.type === 'symlink') symlinkSync(header.linkName, path);
  else if (header.type === 'hardlink') linkSync(resolve(header.linkName), path);
  else
    throw new EngineError(
      'notImplemented',
      `${header.name}: copying a ${header.type} device to the host is not supported`,
    );
}

function removeFile(path: string): void {
  try {
    rmSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    if (errnoOf(error) === 'ERR_FS_EISDIR')
      throw new EngineError(
        'conflict',
        `cannot overwrite directory ${JSON.stringify(path)} with non-directory in ${JSON.stringify(dirname(path))}`,
      );
    throw error;
  }
}

function finish(path: string, header: TarHeader): void {
  chmodSync(path, header.mode);
  utimesSync(path, seconds(header), seconds(header));
}

function seconds({ mtimeNs }: TarHeader): number {
  return Number(mtimeNs) / 1e9;
}
