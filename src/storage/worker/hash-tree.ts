import { createHash, hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { constants as zlib, zstdCompressSync } from 'node:zlib';
import { asPath } from '../../archive/names.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { errnoOf } from '../../stdx/errors.ts';
import { type FileType, type ListedFile, listTree } from './look.ts';
import { joined } from './pack.ts';

/** Digests of file contents by device, inode, size and times, so that an unchanged file is read once. */
export type DigestMemo = Map<string, Digest>;

export interface TreeHash {
  /** Of all paths and their digests. */
  digest: Digest;
  /** HashedColumns as JSON, compressed: fifty thousand rows would cost more to send than to hash. */
  packed: Uint8Array<ArrayBuffer>;
  /** Of its rows. */
  count: number;
}

export interface HashedColumns {
  /** Relative to what was hashed; '' for itself. Sorted. */
  paths: string[];
  types: FileType[];
  /** Of regular files; '' for all others. */
  contents: (Digest | '')[];
  attributes: string[];
}

/** Hashes a tree, or only some of it. */
export function hashTree(path: string, only: readonly string[] | undefined, memo: DigestMemo): TreeHash {
  const files = listTree(path, true, only).sort((a, b) => (a.path < b.path ? -1 : 1));
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  const tree: HashedColumns = { paths: [], types: [], contents: [], attributes: [] };
  const digests: [path: string, digest: Digest][] = [];
  const firstNames = new Map<string, string>();
  for (const file of files) {
    const content = file.type === 'file' ? contentOf(path, file, memo, buffer) : '';
    const first = firstNames.get(file.inode);
    if (file.type === 'file' && first === undefined) firstNames.set(file.inode, file.path);
    tree.paths.push(file.path);
    tree.types.push(file.type);
    digests.push([file.path, digestOfEntry(file, content, file.type === 'file' ? (first ?? '') : '')]);
    tree.contents.push(content);
    tree.attributes.push(describeAttributes(file));
  }
  return { digest: digestOf(JSON.stringify(digests)), packed: pack(tree), count: files.length };
}

function pack(tree: HashedColumns): Uint8Array<ArrayBuffer> {
  const params = { [zlib.ZSTD_c_compressionLevel]: 1 };
  return new Uint8Array(zstdCompressSync(JSON.stringify(tree), { params }));
}

/** '' for a file that is gone. */
function contentOf(top: string, file: ListedFile, memo: DigestMemo, buffer: Buffer): Digest | '' {
  const known = memo.get(file.identity);
  if (known !== undefined) return known;
  const digest = hashFile(file.path === '' ? top : joined(top, file.path), buffer);
  if (digest === undefined) return '';
  memo.set(file.identity, digest);
  return digest;
}

function hashFile(path: string, buffer: Buffer): Digest | undefined {
  let fd: number;
  try {
    fd = openSync(asPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    let read = readSync(fd, buffer, 0, buffer.length, null);
    // Less than was asked for is all of a regular file.
    if (read < buffer.length) return `sha256:${hash('sha256', buffer.subarray(0, read), 'hex')}`;
    const whole = createHash('sha256');
    for (; read > 0; read = readSync(fd, buffer, 0, buffer.length, null))
      whole.update(buffer.subarray(0, read));
    return `sha256:${whole.digest('hex')}`;
  } finally {
    closeSync(fd);
  }
}

/** @param same the first of the hashed names of the same file, when this is another. */
function digestOfEntry(file: ListedFile, content: string, same: string): Digest {
  const { type, permissions, uid, gid, link, rdev, xattrs } = file;
  const device = type === 'char' || type === 'block' ? String(rdev) : '';
  const attributes = [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return digestOf(JSON.stringify([type, permissions, uid, gid, link, device, attributes, content, same]));
}

function describeAttributes({ permissions, uid, gid, link, xattrs }: ListedFile): string {
  const target = link === '' ? '' : ` -> ${link}`;
  const names = [...xattrs].map(([name, value]) => ` ${name}=${Buffer.from(value).toString('base64')}`);
  return `${permissions.toString(8)} ${uid}:${gid}${target}${names.join('')}`;
}
