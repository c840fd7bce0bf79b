import { createReadStream, lstatSync, readFileSync, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { encodeEnd, encodeHeader, encodePadding, type TarHeaderInit } from '../../archive/tar-writer.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';

export interface PackOptions {
  /** Name in the archive of what is at the root; '' for none. */
  top: string;
  /** False: leave it out, and with it all below. By path below the root. */
  includes?(path: string, isDirectory: boolean): boolean;
  /** Owner of every entry; undefined: as on disk. */
  owner?: { uid: number; gid: number };
  /** Told of every piece of content. */
  onBytes?(bytes: number): void;
}

/** A file or a tree as a tar stream, in the order of names. Hard links stay one file; sockets are left out. */
export async function* packTree(root: string, options: PackOptions): AsyncGenerator<Buffer> {
  yield* packEntry(root, '', options, new Map());
  yield encodeEnd();
}

/**
 * Single files, directories and links as a tar stream, each with its own name and without what is below it. What is not
 * there any more is left out.
 */
export async function* packFiles(
  files: readonly { path: string; name: string }[],
  options: Pick<PackOptions, 'owner'>,
): AsyncGenerator<Buffer> {
  const linked = new Map<string, string>();
  for (const { path, name } of files) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const header = await headerOf(path, name, stat, { top: '', ...options }, linked);
    if (header === undefined) continue;
    if (header.type !== 'file' || stat.size > wholeBytes) {
      yield encodeHeader(header);
      if (header.type === 'file') yield* content(path, stat.size, { top: '', ...options });
      continue;
    }
    const whole = contentOf(path);
    if (whole === undefined) continue;
    const size = whole.length;
    yield Buffer.concat([encodeHeader({ ...header, size }), whole, encodePadding(size)]);
  }
  yield encodeEnd();
}

/** Up to this size a file is read in one piece, as it is then. */
const wholeBytes = 1 << 20;

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function* packEntry(
  root: string,
  path: string,
  options: PackOptions,
  linked: Map<string, string>,
): AsyncGenerator<Buffer> {
  const full = path === '' ? root : `${root}/${path}`;
  const stat = await lstat(full);
  const isDirectory = stat.isDirectory();
  if (path !== '' && options.includes?.(path, isDirectory) === false) return;
  const name = [options.top, path].filter(Boolean).join('/');
  const header = await headerOf(full, name, stat, options, linked);
  if (header !== undefined && name !== '') {
    yield encodeHeader(header);
    if (header.type === 'file') yield* content(full, stat.size, options);
  }
  if (!isDirectory) return;
  for (const child of (await readdir(full)).sort())
    yield* packEntry(root, path === '' ? child : `${path}/${child}`, options, linked);
}

async function headerOf(
  full: string,
  name: string,
  stat: Stats,
  { owner }: PackOptions,
  linked: Map<string, string>,
): Promise<TarHeaderInit | undefined> {
  const { uid, gid } = owner ?? stat;
  const base = { name, mode: stat.mode & 0o7777, uid, gid, mtimeNs: BigInt(Math.round(stat.mtimeMs * 1e6)) };
  if (stat.isDirectory()) return { ...base, type: 'directory' };
  if (stat.isSymbolicLink()) return { ...base, type: 'symlink', linkName: await readlink(full) };
  if (stat.isFIFO()) return { ...base, type: 'fifo' };
  if (!stat.isFile()) return undefined;
  const inode = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1 ? linked.get(inode) : undefined;
  if (first !== undefined) return { ...base, type: 'hardlink', linkName: first };
  if (stat.nlink > 1) linked.set(inode, name);
  return { ...base, type: 'file', size: stat.size };
}

/** Exactly as many bytes as were announced: a file that grows meanwhile is cut, one that shrinks is an error. */
async function* content(path: string, sizeBytes: number, options: PackOptions): AsyncGenerator<Buffer> {
  let left = sizeBytes;
  if (sizeBytes > 0) {
    for await (const chunk of createReadStream(path, {
      end: sizeBytes - 1,
      highWaterMark: 1 << 18,
    }) as AsyncIterable<Buffer>) {
      left -= chunk.length;
      options.onBytes?.(chunk.length);
      yield chunk;
    }
  }
  if (left > 0) throw new EngineError('conflict', `${path} has changed while it was read`);
  const padding = encodePadding(sizeBytes);
  if (padding.length > 0) yield padding;
}
