import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { createDecompressor, detectCompression, magicLength } from '../../archive/compression.ts';
import { TarParser } from '../../archive/tar-parser.ts';
import { syncFileSystemOf } from '../../linux/files.ts';
import type { Digest } from '../../oci/digest.ts';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { EngineError } from '../../stdx/errors.ts';
import { removeRecursively } from '../../stdx/remove-recursively.ts';
import { Arrival } from './arrival.ts';
import { receiveChunks, sendChunks } from './chunk-port.ts';
import { type CompressedLayer, type CompressLayer, compressLayer } from './compress-layer.ts';
import type { Confinement } from './confinement.ts';
import { type CopyLayer, copyLayer, helpCopyLayer, type LayerCopied } from './copy-layer.ts';
import { archiveError } from './errors.ts';
import { deriveUpper, flattenLayers } from './flat-roots.ts';
import { type FileMemo, hashTree, type TreeHash } from './hash-tree.ts';
import { ImpliedDirectories } from './implied-directories.ts';
import { LayerFile } from './layer-file.ts';
import {
  type ListedFile,
  listTree,
  makeDirectory,
  openRegularFile,
  readWholeFile,
  resolvePath,
  statPath,
  type WorkerStat,
} from './look.ts';
import { makeMountPoints } from './mount-points.ts';
import type { Owner } from './owners.ts';
import { Packer, type PackResult, type PackSettings } from './pack.ts';
import { type ReceivedTree, receiveTree } from './receive-tree.ts';
import { type LayerTimes, settleTimes } from './settle-times.ts';
import { Unpacker, type UnpackLimits, type UnpackResult, type UnpackSettings } from './unpack.ts';
import { compareUpper, sizeOfTree, type UpperChange } from './upper.ts';
import { settleOpaqueMarkers } from './whiteouts.ts';

/** What a file worker can do, by name: its argument and its result. */
export interface Operations {
  /** Makes a directory of the host the worker's root; `leave` goes back. */
  enter: { argument: { root: string; mappings?: IdMappings }; result: void };
  leave: { argument: undefined; result: void };
  /** Writes out everything of the file system that a path is on. */
  sync: { argument: string; result: void };
  applyLayer: { argument: ApplyLayer; result: AppliedLayer };
  receiveLayer: { argument: ReceiveLayer; result: AppliedLayer };
  /** Packs and compresses into a file, and sends what it makes of it. */
  compressLayer: { argument: CompressLayer; result: CompressedLayer };
  copyLayer: { argument: CopyLayer; result: LayerCopied | 'overlay' | 'alone' };
  helpCopyLayer: { argument: CopyLayer; result: void };
  unpack: { argument: { port: MessagePort; settings: UnpackSettings }; result: UnpackResult };
  /** Makes the worker's root the tree that is told through the port. */
  receiveTree: { argument: { port: MessagePort }; result: ReceivedTree };
  /** Sends the archive; the digest is that of all its bytes. */
  pack: { argument: { port: MessagePort; settings: PackSettings }; result: PackResult & { digest: Digest } };
  packDigest: {
    argument: { root: string; times?: LayerTimes | undefined };
    result: PackResult & { digest: Digest };
  };
  stat: { argument: { path: string; follow: boolean }; result: WorkerStat | undefined };
  list: { argument: { path: string; recursive: boolean; only?: readonly string[] }; result: ListedFile[] };
  /** Sends a regular file's content. */
  readChunks: { argument: { port: MessagePort; path: string }; result: void };
  readFile: { argument: { path: string; limitBytes: number }; result: Uint8Array | undefined };
  resolve: { argument: string; result: string };
  makeDirectory: { argument: { path: string; owner?: Owner; permissions?: number }; result: void };
  /** Remembers contents while the root is the same. */
  hashTree: { argument: { path: string; only?: readonly string[]; known?: Uint8Array }; result: TreeHash };
  compareUpper: { argument: { upper: string; lower: readonly string[] }; result: UpperChange[] };
  sizeOfTree: { argument: { root: string }; result: number };
  removeTree: { argument: string; result: void };
  makeMountPoints: { argument: { root: string }; result: void };
  /** Without an overlay: copies of layers, and what was changed in one (flat-roots.ts). */
  flattenLayers: { argument: { lower: readonly string[]; target: string }; result: void };
  deriveUpper: { argument: { directory: string; lower: readonly string[] }; result: void };
  settleOpaqueMarkers: { argument: { root: string }; result: void };
}

export type OperationName = keyof Operations;

export interface ApplyLayer {
  /** The tar, compressed or not. */
  file: string;
  /** It is written past the page cache, or on the disk. */
  pastCache: boolean;
  /** Tells how much of it is there, of a file that is still being written. */
  arrival?: SharedArrayBuffer | undefined;
  target: string;
  /** Directories of the layers below, topmost first; undefined: not known yet. */
  lower: readonly string[] | undefined;
  limits: UnpackLimits;
}

export interface ReceiveLayer extends Omit<ApplyLayer, 'file' | 'pastCache' | 'arrival'> {
  /** Brings the uncompressed tar. */
  port: MessagePort;
}

export interface AppliedLayer extends UnpackResult {
  /** Digest of the uncompressed tar. */
  diffId: Digest;
}

export interface OperationContext {
  confinement: Confinement;
  progress: (value: number) => void;
}

type OperationTable = {
  [Name in OperationName]: (
    argument: Operations[Name]['argument'],
    context: OperationContext,
  ) => Operations[Name]['result'] | Promise<Operations[Name]['result']>;
};

/** Of the root that is entered now. */
const memo: FileMemo = new Map();

export const operations: OperationTable = {
  enter: ({ root, mappings }, { confinement }) => {
    memo.clear();
    confinement.enter(root, mappings);
  },
  leave: (_, { confinement }) => {
    memo.clear();
    confinement.leave();
  },
  sync: syncFileSystemOf,
  applyLayer,
  receiveLayer,
  copyLayer: (argument, { confinement }) => copyLayer(argument, confinement),
  helpCopyLayer: (argument, { confinement }) => helpCopyLayer(argument, confinement),
  compressLayer,
  unpack: ({ port, settings }) =>
    unpackFrom(receiveChunks(port), new Unpacker(settings, new ImpliedDirectories([]))),
  receiveTree: ({ port }) => receiveTree(port),
  pack: ({ port, settings }) => pack(port, settings),
  packDigest: ({ root, times }, { confinement }) =>
    inside(confinement, root, () => {
      if (times !== undefined) settleTimes('/', times);
      return packDigest();
    }),
  stat: ({ path, follow }) => statPath(path, follow),
  list: ({ path, recursive, only }) => listTree(path, recursive, only),
  readFile: ({ path, limitBytes }) => readWholeFile(path, limitBytes),
  readChunks: async ({ port, path }) => {
    await sendChunks(port, chunksOfFile(path));
  },
  resolve: path => resolvePath(path),
  makeDirectory: ({ path, owner, permissions }) => makeDirectory(path, owner, permissions),
  hashTree: ({ path, only, known }) => hashTree(path, only, memo, known),
  compareUpper: ({ upper, lower }, { confinement }) => compareUpper(upper, lower, confinement),
  sizeOfTree: ({ root }, { confinement }) => inside(confinement, root, () => sizeOfTree('/')),
  removeTree: removeRecursively,
  makeMountPoints: ({ root }, { confinement }) => inside(confinement, root, makeMountPoints),
  flattenLayers: ({ lower, target }) => flattenLayers(lower, target),
  deriveUpper: ({ directory, lower }, { confinement }) => deriveUpper(directory, lower, confinement),
  settleOpaqueMarkers: ({ root }, { confinement }) =>
    inside(confinement, root, () => settleOpaqueMarkers('/')),
};

async function applyLayer(
  argument: ApplyLayer,
  { confinement, progress }: OperationContext,
): Promise<AppliedLayer> {
  const { arrival } = argument;
  const file = new LayerFile(argument.file, argument);
  try {
    const arriving = arrival === undefined ? undefined : new Arrival(arrival);
    await arriving?.atLeast(magicLength);
    const compression = detectCompression(file.head(magicLength));
    if (compression === 'bzip2' || compression === 'xz') {
      throw new EngineError('notImplemented', `layers compressed with ${compression} are not supported`);
    }
    const chunks = counted(arriving?.chunks(file) ?? file.chunks(), progress);
    if (compression === 'none') return await unpackLayer(chunks, argument, confinement);
    const decompressor = createDecompressor(compression);
    // Writing happens while the thread pool decompresses the next piece.
    const sent = sendThrough(chunks, decompressor);
    try {
      return await unpackLayer(decompressor, argument, confinement);
    } finally {
      // Whoever still read the descriptor once it is closed would read what somebody else opens under its number.
      decompressor.destroy();
      await sent;
    }
  } finally {
    file.close();
  }
}

function receiveLayer(argument: ReceiveLayer, { confinement }: OperationContext): Promise<AppliedLayer> {
  return unpackLayer(receiveChunks(argument.port), argument, confinement);
}

async function unpackLayer(
  tar: AsyncIterable<Buffer> | Iterable<Buffer>,
  { target, lower, limits }: Pick<ApplyLayer, 'target' | 'lower' | 'limits'>,
  confinement: Confinement,
): Promise<AppliedLayer> {
  const implied = new ImpliedDirectories(lower);
  try {
    confinement.enter(target);
    const settings = {
      destination: '/',
      layer: true,
      noOverwriteDirNonDir: false,
      allowDevices: true,
      limits,
    };
    const hash = createHash('sha256');
    const result = await unpackFrom(tar, new Unpacker(settings, implied), chunk => hash.update(chunk));
    return { ...result, diffId: `sha256:${hash.digest('hex')}` };
  } finally {
    confinement.leave();
    implied.close();
  }
}

async function unpackFrom(
  tar: AsyncIterable<Buffer> | Iterable<Buffer>,
  unpacker: Unpacker,
  tap: (chunk: Buffer) => void = () => {},
): Promise<UnpackResult> {
  const parser = new TarParser(unpacker);
  let rubbish = 0;
  try {
    for await (const chunk of tar) {
      if (parser.ended) rubbish += chunk.length;
      if (rubbish > maxRubbish) throw new EngineError('invalid', 'too much after the end of the archive');
      tap(chunk);
      for (let rest = chunk; rest.length > 0; ) {
        rest = rest.subarray(parser.write(rest));
        if (unpacker.busy) await unpacker.settled();
      }
    }
    parser.end();
    return unpacker.finish();
  } catch (error) {
    await unpacker.abort();
    throw error instanceof EngineError ? error : archiveError('unpacking', error);
  }
}

async function pack(port: MessagePort, settings: PackSettings): Promise<PackResult & { digest: Digest }> {
  const packer = new Packer(settings);
  const hash = createHash('sha256');
  await sendChunks(
    port,
    tapped(packer.chunks(), chunk => hash.update(chunk)),
  );
  return { ...packer.result, digest: `sha256:${hash.digest('hex')}` };
}

function packDigest(): PackResult & { digest: Digest } {
  const packer = new Packer({ path: '/', name: '', layer: true, preciseTimes: false, reuse: true });
  const hash = createHash('sha256');
  for (const chunk of packer.chunks()) hash.update(chunk);
  return { ...packer.result, digest: `sha256:${hash.digest('hex')}` };
}

function inside<T>(confinement: Confinement, root: string, work: () => T): T {
  confinement.enter(root);
  try {
    return work();
  } finally {
    confinement.leave();
  }
}

function* tapped(chunks: Iterable<Buffer>, tap: (chunk: Buffer) => void): Generator<Buffer> {
  for (const chunk of chunks) {
    tap(chunk);
    yield chunk;
  }
}

/** @param progress hears of what has been taken. */
async function* counted(
  chunks: AsyncIterable<Buffer>,
  progress: (value: number) => void,
): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    progress(total);
    yield chunk;
  }
}

/** A chunk is done with when the next but one is asked for. */
async function sendThrough(chunks: AsyncIterable<Buffer>, target: Duplex): Promise<void> {
  try {
    let before = Promise.resolve();
    for await (const chunk of chunks) {
      const taken = takenBy(target, chunk);
      await before;
      if (target.destroyed) return;
      before = taken;
    }
    target.end();
  } catch (error) {
    target.destroy(error as Error);
  }
}

function* chunksOfFile(path: string): Generator<Buffer> {
  const fd = openRegularFile(path);
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafeSlow(readSize);
      const read = readSync(fd, chunk);
      if (read === 0) return;
      yield chunk.subarray(0, read);
    }
  } finally {
    closeSync(fd);
  }
}

/** Settles when a stream has used up a chunk, or will not use any more. */
function takenBy(target: Duplex, chunk: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  target.once('close', resolve);
  target.write(chunk, () => {
    target.off('close', resolve);
    resolve();
  });
  return promise;
}

const readSize = 512 * 1024;
/** Programs fill up the last record, of some kilobytes; what is more only keeps us busy. */
const maxRubbish = 16 << 20;
