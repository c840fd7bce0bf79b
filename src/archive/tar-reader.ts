import { EngineError } from '../stdx/errors.ts';
import type { TarHeader } from './tar-header.ts';
import { TarParser } from './tar-parser.ts';

export interface TarEntry {
  header: TarHeader;
  /** The content, holes filled with zeros. What is not read is skipped when the next entry is asked for. */
  body: AsyncIterable<Buffer>;
}

/**
 * Reads an archive entry by entry, without confinement or disk: to look into one. Entries come one at a time.
 * @param source its chunks are handed on in pieces, without a copy: it must not use them again.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, undefined> {
  const events: TarEvent[] = [];
  const parser = new TarParser({
    entry: header => events.push({ header }),
    data: (chunk, offset) => events.push({ chunk, offset }),
    endEntry: () => events.push('end'),
  });
  const chunks = source[Symbol.asyncIterator]();
  async function next(): Promise<TarEvent | undefined> {
    while (events.length === 0) {
      const { done, value } = await chunks.next();
      if (done === true) {
        parser.end();
        return undefined;
      }
      parser.write(value);
    }
    return events.shift();
  }
  try {
    for (;;) {
      const event = await next();
      if (event === undefined) return;
      if (event === 'end' || !('header' in event))
        throw new EngineError('internal', 'tar content without an entry');
      const body = bodyOf(event.header, next);
      yield { header: event.header, body };
      for await (const _ of body);
    }
  } finally {
    await chunks.return?.();
  }
}

/** A whole small body. @throws EngineError `invalid` above the limit. */
export async function readBody(entry: TarEntry, limitBytes: number): Promise<Buffer> {
  const { name, size } = entry.header;
  if (size > limitBytes)
    throw new EngineError('invalid', `${name} has ${size} bytes, more than ${limitBytes}`);
  const chunks: Buffer[] = [];
  for await (const chunk of entry.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

type TarEvent = { header: TarHeader } | { chunk: Buffer; offset: number } | 'end';

function bodyOf(header: TarHeader, next: () => Promise<TarEvent | undefined>): AsyncIterableIterator<Buffer> {
  const iterator = fillHoles(header, next);
  // A `for await` that is left early would end the iterator; the rest must still be skipped afterwards.
  const body: AsyncIterableIterator<Buffer> = {
    next: () => iterator.next(),
    [Symbol.asyncIterator]: () => body,
  };
  return body;
}

async function* fillHoles(
  header: TarHeader,
  next: () => Promise<TarEvent | undefined>,
): AsyncGenerator<Buffer> {
  let position = 0;
  for (let event = await next(); event !== 'end'; event = await next()) {
    if (event === undefined || 'header' in event)
      throw new EngineError('internal', 'tar entry without an end');
    yield* zeros(event.offset - position);
    yield event.chunk;
    position = event.offset + event.chunk.length;
  }
  yield* zeros(header.size - position);
}

function* zeros(length: number): Generator<Buffer> {
  for (let rest = length; rest > 0; rest -= zeroChunk.length)
    yield zeroChunk.subarray(0, Math.min(rest, zeroChunk.length));
}

const zeroChunk = Buffer.alloc(64 * 1024);
