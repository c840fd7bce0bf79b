import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { encodeName } from '../../src/archive/names.ts';
import type { TarHeader } from '../../src/archive/tar-header.ts';
import { readTar } from '../../src/archive/tar-reader.ts';

/**
 * An image as text, for comparison: what its file system has that the base's has not, one line for each entry, then
 * its configuration, then its history.
 *
 *     d 0755 0:0 /app
 *     f 0644 1000:1000 /app/greeting 6 "hello\n"         short text as it is, else sha256:…
 *     h /app/same = /app/greeting                        another name of the same file
 *     l 0:0 /app/link -> greeting
 *     c 0600 0:0 /app/null 1,3
 *     - /etc/motd                                        in the base, but not here
 *
 * A file's time follows only where somebody put an old one there: what a build itself makes is of its day. Those of
 * directories are left out: anything made in one changes it.
 */
export async function imageText(
  saved: AsyncIterable<Uint8Array>,
  { base, known }: { base: FileTree; known: KnownContents },
): Promise<string> {
  const archive = await readArchive(saved);
  const tree = await treeOf(archive);
  return [
    ...treeLines(tree, base, known),
    '',
    ...configLines(archive.config),
    '',
    ...archive.config.history.map(historyLine),
    '',
  ].join('\n');
}

/** Every path of an image, absolute, `/` included when a layer says something about it. */
export type FileTree = Map<string, Inode>;

/** Shared by all its hard links. */
interface Inode {
  header: TarHeader;
  content: Buffer;
}

interface Archive {
  config: ImageConfig;
  layers: Buffer[];
}

interface ImageConfig {
  architecture: string;
  os: string;
  variant?: string;
  author?: string;
  created?: string;
  config: Record<string, unknown>;
  history: { created_by?: string; comment?: string; author?: string; created?: string }[];
}

export async function fileTree(saved: AsyncIterable<Uint8Array>): Promise<FileTree> {
  return treeOf(await readArchive(saved));
}

/** As `docker save` writes it: manifest.json names the configuration and the layers, wherever they are. */
async function readArchive(saved: AsyncIterable<Uint8Array>): Promise<Archive> {
  const files = new Map<string, Buffer>();
  for await (const { header, body } of readTar(saved)) {
    if (header.type === 'file') files.set(posix.normalize(header.name), await collect(body));
  }
  const read = (name: string): Buffer => {
    const found = files.get(name);
    if (found === undefined) throw new Error(`the saved image has no ${name}`);
    return found;
  };
  const [manifest] = JSON.parse(read('manifest.json').toString()) as { Config: string; Layers: string[] }[];
  const layers = manifest!.Layers.map(read).map(layer =>
    layer.readUInt16BE(0) === 0x1f8b ? gunzipSync(layer) : layer,
  );
  return { config: JSON.parse(read(manifest!.Config).toString()) as ImageConfig, layers };
}

async function treeOf({ layers }: Archive): Promise<FileTree> {
  const tree: FileTree = new Map();
  for (const layer of layers) await applyLayer(tree, layer);
  return tree;
}

async function applyLayer(tree: FileTree, layer: Buffer): Promise<void> {
  const below = new Set(tree.keys());
  for await (const { header, body } of readTar(chunksOf(layer))) {
    const path = posix.resolve('/', header.name.replace(/\/+$/, ''));
    const name = posix.basename(path);
    if (name === '.wh..wh..opq') {
      for (const old of below) if (old.startsWith(withSlash(posix.dirname(path)))) tree.delete(old);
    } else if (name.startsWith('.wh.')) {
      removeTree(tree, posix.join(posix.dirname(path), name.slice(4)));
    } else if (header.type === 'hardlink') {
      const inode = tree.get(posix.resolve('/', header.linkName));
      if (inode === undefined) throw new Error(`${path} is a link to ${header.linkName}, which is not there`);
      tree.set(path, inode);
    } else {
      if (header.type !== 'directory' && tree.get(path)?.header.type === 'directory') removeTree(tree, path);
      tree.set(path, { header, content: await collect(body) });
    }
  }
}

function removeTree(tree: FileTree, path: string): void {
  tree.delete(path);
  for (const other of tree.keys()) if (other.startsWith(withSlash(path))) tree.delete(other);
}

function treeLines(tree: FileTree, base: FileTree, known: KnownContents): string[] {
  const firstPaths = new Map<Inode, string>();
  const lines: string[] = [];
  for (const path of sorted(tree.keys())) {
    if (isLeftover(path, tree)) continue;
    const inode = tree.get(path)!;
    const first = firstPaths.get(inode);
    if (first === undefined) firstPaths.set(inode, path);
    if (isSame(path, base.get(path), inode)) continue;
    lines.push(first === undefined ? entryLine(path, inode, known) : `h ${shown(path)} = ${shown(first)}`);
  }
  for (const path of sorted(base.keys())) {
    const covered = base.has(posix.dirname(path)) && !tree.has(posix.dirname(path)) && path !== '/';
    if (!tree.has(path) && !covered) lines.push(`- ${shown(path)}`);
  }
  return lines;
}

/**
 * BuildKit leaves the places of a container's own mounts in the image when the base has none. Gantry takes them away
 * (docs/building-differences.md).
 */
function isLeftover(path: string, tree: FileTree): boolean {
  return (
    ['/dev', '/proc', '/sys'].includes(path) && ![...tree.keys()].some(other => other.startsWith(`${path}/`))
  );
}

const letters = { file: 'f', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', hardlink: 'h' };

function entryLine(path: string, { header, content }: Inode, known: KnownContents): string {
  const words = [letters[header.type]];
  if (header.type !== 'symlink') words.push(header.mode.toString(8).padStart(4, '0'));
  words.push(`${header.uid}:${header.gid}`, shown(path));
  if (header.type === 'file') words.push(String(content.length), contentWord(content, known));
  if (header.type === 'symlink') words.push('->', shown(header.linkName));
  if (header.type === 'char' || header.type === 'block') words.push(`${header.devMajor},${header.devMinor}`);
  for (const [name, value] of [...header.xattrs].sort(([a], [b]) => (a < b ? -1 : 1)))
    words.push(`${name}=${value.toString('base64')}`);
  const second = Number(header.mtimeNs / 1_000_000_000n);
  if (header.type !== 'directory' && second < newestOldTime)
    words.push(`@${new Date(second * 1000).toISOString()}`);
  return words.join(' ');
}

/** 2025-01-01: contexts are older than that, builds are not. */
const newestOldTime = 1_735_689_600;

function isSame(path: string, before: Inode | undefined, now: Inode): boolean {
  if (before === undefined || !before.content.equals(now.content)) return false;
  const none = new Map<string, string>();
  const bare = ({ header }: Inode): string => entryLine(path, { header, content: Buffer.alloc(0) }, none);
  return bare(before) === bare(now);
}

function contentWord(content: Buffer, known: KnownContents): string {
  const text = content.toString('utf8', 0, 241);
  const isText = content.length <= 240 && !/[^\n\t\x20-\x7e\xa0-\ufffc]/.test(text);
  if (isText) return JSON.stringify(text);
  const digest = sha256(content);
  // busybox is made of the machine's own programs: their digests are not the same everywhere.
  const original = known.get(digest);
  return original === undefined ? `sha256:${digest}` : `as ${original} of busybox`;
}

/** Which file of the base has the content with this digest. */
export type KnownContents = ReadonlyMap<string, string>;

export function contentsOf(base: FileTree): KnownContents {
  const known = new Map<string, string>();
  for (const path of sorted(base.keys())) {
    const { header, content } = base.get(path)!;
    if (header.type === 'file' && content.length > 0 && !known.has(sha256(content)))
      known.set(sha256(content), path);
  }
  return known;
}

function configLines(image: ImageConfig): string[] {
  const lines = [`platform ${[image.os, image.architecture, image.variant ?? ''].filter(Boolean).join('/')}`];
  if (image.author) lines.push(`author ${JSON.stringify(image.author)}`);
  if (isOld(image.created)) lines.push(`created ${image.created}`);
  for (const key of Object.keys(image.config ?? {}).sort()) {
    const value = image.config[key];
    if (!isEmpty(value)) lines.push(`${key} ${JSON.stringify(ordered(value))}`);
  }
  return lines;
}

function historyLine(step: ImageConfig['history'][number]): string {
  // Whether it made a layer is not said: a step that changed nothing makes an empty one in BuildKit, none in Gantry.
  const words = ['#', JSON.stringify(step.created_by ?? '')];
  if (step.comment) words.push(`(${step.comment})`);
  if (step.author) words.push(`by ${step.author}`);
  if (isOld(step.created)) words.push(`@${step.created}`);
  return words.join(' ');
}

function isOld(time: string | undefined): boolean {
  return time !== undefined && Date.parse(time) / 1000 < newestOldTime;
}

/** Fields that are not set are written by one daemon and left out by the other; clients see no difference. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false || value === 0) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function ordered(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => !isEmpty(inner) || typeof inner === 'object');
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Printable, and one line whatever the name. */
function shown(path: string): string {
  return /^[\x21-\x7e]+$/.test(path) ? path : JSON.stringify(encodeName(path).toString('latin1'));
}

function sorted(paths: Iterable<string>): string[] {
  return [...paths].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
