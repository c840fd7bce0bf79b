import { createHash, hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { asPath } from '../../archive/names.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { errnoOf } from '../../stdx/errors.ts';
import { type FileType, type ListedFile, listTree } from './look.ts';
import { joined } from './pack.ts';
import { readXattrs } from './xattrs.ts';

/** What is known of regular files by device, inode, size and times, so that an unchanged one is read once. */
export type FileMemo = Map<string, HashedFile>;

interface HashedFile {
  /** '' for what is no regular file. */
  content: Digest | '';
  attributes: string;
  /** Of all of it. */
  digest: Digest;
}

type Xattrs = ReturnType<typeof readXattrs>;

export interface TreeHash {
  /** Of all paths and their digests. */
  digest: Digest;
  /** The same of what is in it: who takes a directory's content does not see its own mode and owner. */
  insideDigest: Digest;
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
  /** Of regular files, as FileMemo has them; '' for all others. */
  identities: string[];
  digests: (Digest | '')[];
}

/**
 * Hashes a tree, or only some of it.
 * @param known what a hash of an earlier state of it was packed to: files that are the same are not read again.
 */
export function hashTree(
  path: string,
  only: readonly string[] | undefined,
  memo: FileMemo,
  known?: Uint8Array,
): TreeHash {
  if (known !== undefined) recall(known, memo);
  const files = listTree(path, true, only).sort((a, b) => (a.path < b.path ? -1 : 1));
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  const tree: HashedColumns = {
    paths: [],
    types: [],
    contents: [],
    attributes: [],
    identities: [],
    digests: [],
  };
  const digests: [path: string, digest: Digest][] = [];
  const firstNames = new Map<string, string>();
  for (const file of files) {
    const first = firstNames.get(file.inode);
    if (file.type === 'file' && first === undefined) firstNames.set(file.inode, file.path);
    const isFirst = file.type !== 'file' || first === undefined;
    const { content, attributes, digest } = hashedFile(path, file, memo, buffer);
    tree.paths.push(file.path);
    tree.types.push(file.type);
    tree.contents.push(content);
    tree.attributes.push(attributes);
    tree.identities.push(content === '' ? '' : file.identity);
    tree.digests.push(content === '' ? '' : digest);
    // Another name of a file that came before is more than a file that is like it.
    digests.push([file.path, isFirst ? digest : digestOf(JSON.stringify([digest, first]))]);
  }
  const [top] = digests[0]?.[0] === '' ? digests.splice(0, 1) : [];
  const insideDigest = digestOf(JSON.stringify(digests));
  const digest = digestOf(JSON.stringify([top ?? null, insideDigest]));
  return { digest, insideDigest, packed: pack(tree), count: files.length };
}

function pack(tree: HashedColumns): Uint8Array<ArrayBuffer> {
  const params = { [zlib.ZSTD_c_compressionLevel]: 1 };
  return new Uint8Array(zstdCompressSync(JSON.stringify(tree), { params }));
}

function recall(packed: Uint8Array, memo: FileMemo): void {
  const columns = JSON.parse(zstdDecompressSync(packed).toString('utf8')) as HashedColumns;
  const { identities, contents, attributes, digests } = columns;
  for (const [index, identity] of identities.entries()) {
    const [content, digest] = [contents[index]!, digests[index]!];
    if (content !== '' && digest !== '')
      memo.set(identity, { content, attributes: attributes[index]!, digest });
  }
}

function hashedFile(top: string, file: ListedFile, memo: FileMemo, buffer: Buffer): HashedFile {
  const known = file.type === 'file' ? memo.get(file.identity) : undefined;
  if (known !== undefined) return known;
  const path = file.path === '' ? top : joined(top, file.path);
  const xattrs = readXattrs(asPath(path));
  const content = file.type === 'file' ? hashFile(path, buffer) : '';
  const attributes = describeAttributes(file, xattrs);
  const hashed = { content, attributes, digest: digestOfEntry(file, xattrs, content) };
  if (content !== '') memo.set(file.identity, hashed);
  return hashed;
}

/** '' for a file that is gone. */
function hashFile(path: string, buffer: Buffer): Digest | '' {
  let fd: number;
  try {
    fd = openSync(asPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
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

function digestOfEntry(file: ListedFile, xattrs: Xattrs, content: string): Digest {
  const { type, permissions, uid, gid, link, rdev } = file;
  const device = type === 'char' || type === 'block' ? String(rdev) : '';
  const attributes = [...xattrs].map(([name, value]) => [name, value.toString('base64')]);
  return digestOf(JSON.stringify([type, permissions, uid, gid, link, device, attributes, content]));
}

function describeAttributes({ permissions, uid, gid, link }: ListedFile, xattrs: Xattrs): string {
  const target = link === '' ? '' : ` -> ${link}`;
  const names = [...xattrs].map(([name, value]) => ` ${name}=${value.toString('base64')}`);
  return `${permissions.toString(8)} ${uid}:${gid}${target}${names.join('')}`;
}
