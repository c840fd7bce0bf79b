import { existsSync } from 'node:fs';
import { type Duplex, PassThrough, type Readable, type Transform } from 'node:stream';
import { constants, createGunzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { ParallelGzip } from './parallel-gzip.ts';
import { ProgramStream } from './program-stream.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Bytes that `detectCompression` wants to see. */
export const magicLength = 6;

/** Tells a compression by its first bytes; what is unknown counts as not compressed. */
export function detectCompression(firstBytes: Uint8Array): Compression {
  for (const [compression, ...magics] of magicNumbers) {
    if (magics.some(magic => magic.every((byte, index) => firstBytes[index] === byte))) return compression;
  }
  return 'none';
}

/**
 * Undoes a compression. Errors of the data come as EngineError `invalid` through the stream (asArchiveError makes
 * them, for whoever pipes). gzip and zstd run in Node's thread pool.
 * @throws EngineError `notImplemented` when the host has no program for bzip2 or xz.
 */
export function createDecompressor(compression: Compression): Duplex {
  switch (compression) {
    case 'none':
      return new PassThrough();
    case 'gzip':
      return createGunzip({ chunkSize });
    case 'zstd':
      // Layers made with --ultra or --long have windows above the default of 128 MiB.
      return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: 31 } });
    case 'bzip2':
      return throughProgram('bzip2', ['/usr/bin/bzip2', '/bin/bzip2']);
    case 'xz':
      return throughProgram('xz', ['/usr/bin/xz', '/bin/xz']);
  }
}

/**
 * Compresses for a registry or an archive: always the same bytes for the same input.
 * @param level gzip 1-9 (default 6), zstd 1-22 (default 3)
 */
export function createCompressor(compression: 'gzip' | 'zstd', level?: number): Transform {
  if (compression === 'gzip') return new ParallelGzip({ level });
  const params = { [constants.ZSTD_c_compressionLevel]: level ?? 3, [constants.ZSTD_c_checksumFlag]: 1 };
  return createZstdCompress({ chunkSize, params });
}

/** A stream of the content, whatever it is compressed with. Errors of the data are EngineErrors. */
export async function decompress(source: AsyncIterable<Uint8Array>): Promise<Readable> {
  const { head, rest } = await readHead(source);
  const decompressor = createDecompressor(detectCompression(head));
  void feed(rest, decompressor);
  return decompressor;
}

/** Errors of node:zlib as `invalid`; all others as they are. */
export function asArchiveError(error: unknown): unknown {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === 'string' && (code.startsWith('Z_') || code.startsWith('ZSTD_error_'))) {
    return new EngineError('invalid', `invalid compressed data: ${messageOf(error)}`, { cause: error });
  }
  return error;
}

/** node:zlib's default of 16 KiB makes it three times slower. */
const chunkSize = 512 * 1024;

const magicNumbers: readonly (readonly [Compression, ...(readonly number[])[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd], ...skippableFrames()],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** zstd:chunked and others begin with a frame that decoders skip (RFC 8878, 3.1.2). */
function skippableFrames(): number[][] {
  return Array.from({ length: 16 }, (_, low) => [0x50 + low, 0x2a, 0x4d, 0x18]);
}

async function readHead(
  source: AsyncIterable<Uint8Array>,
): Promise<{ head: Buffer; rest: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < magicLength) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  async function* rest(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
        yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head, rest: rest() };
}

async function feed(source: AsyncIterable<Uint8Array>, target: Duplex): Promise<void> {
  // zlib reports bad data on itself; readers of `target` shall see our words.
  const emit = target.emit.bind(target);
  target.emit = (event: string | symbol, ...args: unknown[]) =>
    emit(event, ...(event === 'error' ? [asArchiveError(args[0])] : args));
  try {
    for await (const chunk of source) {
      if (target.destroyed) return;
      if (!target.write(chunk)) await drained(target);
    }
    target.end();
  } catch (error) {
    target.destroy(error as Error);
  }
}

function drained(target: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    target.off('drain', done).off('close', done).off('error', done);
    resolve();
  };
  target.on('drain', done).on('close', done).on('error', done);
  return promise;
}

/** bzip2 and xz come up in ADD only, where the host's programs, by absolute path, are good enough. */
function throughProgram(name: string, paths: readonly string[]): Duplex {
  const path = paths.find(candidate => existsSync(candidate));
  if (path === undefined) {
    throw new EngineError('notImplemented', `${name} archives need the program ${paths[0]} on the host`);
  }
  return new ProgramStream(path, ['-dc'], name);
}
