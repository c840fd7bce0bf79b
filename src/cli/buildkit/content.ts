import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { contentService, storeIdHeader, writeAction } from '../../api/buildkit/content.ts';
import { timestampOf } from '../../api/buildkit/well-known.ts';
import type { GrpcCall, GrpcHandler } from '../../api/grpc/server.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import type { MessageOf } from '../../api/protobuf.ts';

/** Directories of blobs by the names that the daemon has for them, `local:<path>` or `oci:<name>`. */
export type ContentStores = ReadonlyMap<string, ContentStore>;

export interface ContentStore {
  /** An OCI layout: `blobs/sha256/<hex>`, and `ingest/` while something is written. */
  directory: string;
  writable: boolean;
}

const pieceBytes = 1024 * 1024;

/** containerd's content service on directories, as far as daemons ask for it. */
export function contentHandlers(stores: ContentStores): Map<string, GrpcHandler> {
  const handlers = new Map<string, GrpcHandler>();
  handlers.set(contentService.info.path, async call => {
    const { directory } = storeOf(stores, call);
    const { digest } = contentService.info.request.decode(await onlyMessage(call));
    const { size, mtimeMs } = statBlob(directory, digest);
    const time = timestampOf(mtimeMs);
    await call.send(
      contentService.info.response.encode({ info: { digest, size, createdAt: time, updatedAt: time } }),
    );
  });
  handlers.set(contentService.read.path, async call => {
    const { directory } = storeOf(stores, call);
    const { request, response } = contentService.read;
    const { digest, offset, size } = request.decode(await onlyMessage(call));
    const present = statBlob(directory, digest).size;
    if (offset > present)
      throw new GrpcError(grpcCode.outOfRange, `read past object length ${present} bytes`);
    const end = (size > 0 ? Math.min(present, offset + size) : present) - 1;
    if (end < offset) return;
    let at = offset;
    const file = createReadStream(blobPath(directory, digest), {
      start: offset,
      end,
      highWaterMark: pieceBytes,
      signal: call.signal,
    });
    for await (const data of file as AsyncIterable<Buffer>) {
      await call.send(response.encode({ offset: at, data }));
      at += data.length;
    }
  });
  handlers.set(contentService.write.path, async call => {
    const { directory, writable } = storeOf(stores, call);
    if (!writable) throw new GrpcError(grpcCode.permissionDenied, `${directory} is not written to`);
    await receiveBlob(directory, call);
  });
  // What is being written is gone with the call that writes it.
  handlers.set(contentService.status.path, async call => {
    const { ref } = contentService.status.request.decode(await onlyMessage(call));
    throw new GrpcError(grpcCode.notFound, `no ingest of ${ref}`);
  });
  handlers.set(contentService.abort.path, async call => {
    await onlyMessage(call);
    await call.send(contentService.abort.response.encode({}));
  });
  return handlers;
}

type WriteRequest = MessageOf<typeof contentService.write.request>;

async function receiveBlob(directory: string, call: GrpcCall): Promise<void> {
  const { request, response } = contentService.write;
  const writing = new BlobWriting(directory);
  try {
    for await (const bytes of call.messages) {
      const asked = request.decode(bytes);
      await writing.take(asked);
      const { action } = asked;
      await call.send(response.encode({ action, offset: writing.offset, digest: writing.committed ?? '' }));
      if (writing.committed !== undefined) return;
    }
  } finally {
    await writing.close();
  }
}

/** One blob on its way: a file aside, which gets its name when it is whole and what it should be. */
class BlobWriting {
  readonly #directory: string;
  readonly #aside: string;
  #file: FileHandle | undefined;
  #hash = createHash('sha256');
  #expected = '';
  #total = 0;
  offset = 0;
  committed: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#aside = join(directory, 'ingest', randomUUID());
  }

  async take({ action, offset, data, expected, total }: WriteRequest): Promise<void> {
    if (expected !== '') this.#expect(expected);
    if (total > 0) this.#total = total;
    if (action === writeAction.stat) return;
    const again = offset === 0 && this.offset > 0 && (action === writeAction.write || data.length > 0);
    if (again) await this.#beginAgain();
    else if (offset > 0 && offset !== this.offset)
      throw new GrpcError(
        grpcCode.outOfRange,
        `write @${offset} must occur at current offset ${this.offset}`,
      );
    await this.#append(data);
    if (action === writeAction.commit) await this.#commit();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    await rm(this.#aside, { force: true });
  }

  #expect(digest: string): void {
    this.#expected = digest;
    if (statSync(blobPath(this.#directory, digest), { throwIfNoEntry: false }) !== undefined)
      throw new GrpcError(grpcCode.alreadyExists, `content ${digest}: already exists`);
  }

  async #beginAgain(): Promise<void> {
    await this.#file?.truncate(0);
    this.#hash = createHash('sha256');
    this.offset = 0;
  }

  async #append(data: Buffer): Promise<void> {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.#aside), { recursive: true });
      this.#file = await open(this.#aside, 'wx', 0o444);
    }
    let at = 0;
    while (at < data.length) {
      const { bytesWritten } = await this.#file.write(data, at, data.length - at, this.offset);
      at += bytesWritten;
      this.offset += bytesWritten;
    }
    this.#hash.update(data);
  }

  async #commit(): Promise<void> {
    const digest = `sha256:${this.#hash.digest('hex')}`;
    if (this.#total > 0 && this.#total !== this.offset)
      throw new GrpcError(
        grpcCode.failedPrecondition,
        `unexpected commit size ${this.offset}, expected ${this.#total}`,
      );
    if (this.#expected !== '' && this.#expected !== digest)
      throw new GrpcError(
        grpcCode.failedPrecondition,
        `unexpected commit digest ${digest}, expected ${this.#expected}`,
      );
    const path = blobPath(this.#directory, digest);
    await this.#file!.sync();
    await mkdir(dirname(path), { recursive: true });
    await rename(this.#aside, path);
    this.committed = digest;
  }
}

function storeOf(stores: ContentStores, { metadata }: GrpcCall): ContentStore {
  const id = Buffer.from(metadata.get(storeIdHeader)?.[0] ?? '', 'latin1').toString('utf8');
  const store = stores.get(id);
  if (store === undefined) throw new GrpcError(grpcCode.notFound, `unknown store ${id}`);
  return store;
}

function statBlob(directory: string, digest: string) {
  const stat = statSync(blobPath(directory, digest), { throwIfNoEntry: false });
  if (stat === undefined) throw new GrpcError(grpcCode.notFound, `content ${digest}: not found`);
  return stat;
}

function blobPath(directory: string, digest: string): string {
  const [, hex] = /^sha256:([0-9a-f]{64})$/.exec(digest) ?? [];
  if (hex === undefined) throw new GrpcError(grpcCode.invalidArgument, `${digest} failed validation`);
  return join(directory, 'blobs', 'sha256', hex);
}

async function onlyMessage({ messages }: GrpcCall): Promise<Buffer> {
  const { value, done } = await messages.next();
  if (done === true) throw new GrpcError(grpcCode.internal, 'the call has no message');
  return value;
}
