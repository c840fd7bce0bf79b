import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { decompress, detectCompression, magicLength } from '../archive/compression.ts';
import type { TarHeader } from '../archive/tar-header.ts';
import { readBody, readTar, type TarEntry } from '../archive/tar-reader.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { EngineError } from '../stdx/errors.ts';
import type { EarlyLayer } from '../storage/early-layer.ts';
import type { Storage } from '../storage/storage.ts';
import { Arrival } from '../storage/worker/arrival.ts';
import type { Lease } from './leases.ts';

/** What is not larger may be JSON and stays in memory; larger files go to the blob store. */
const smallBytes = 1 << 20;
/** Of everything that stays in memory. */
const smallTotalBytes = 64 << 20;
const maxEntries = 100_000;
const maxLinks = 8;

/**
 * An image archive, read once as it comes and then looked at by its names. Its names are keys of maps here and
 * never paths on this machine.
 */
export class ImageArchive {
  readonly #storage: Storage;
  readonly #lease: Lease;
  readonly #small = new Map<string, Buffer>();
  readonly #large = new Map<string, Digest>();
  readonly #links = new Map<string, string>();
  /** By their blobs. What turns out to be no layer, or not to be wanted, is discarded. */
  readonly #early = new Map<Digest, EarlyLayer>();
  #smallTotal = 0;

  /**
   * @param tar plain or compressed.
   * @throws EngineError `invalid` for what is no tar or an image archive would not hold, `corrupt` for a blob whose
   * content is not what its name says.
   */
  static async read(
    storage: Storage,
    lease: Lease,
    tar: Readable,
    signal: AbortSignal,
  ): Promise<ImageArchive> {
    const archive = new ImageArchive(storage, lease);
    let entries = 0;
    try {
      for await (const entry of readTar(await decompress(tar))) {
        signal.throwIfAborted();
        if (++entries > maxEntries) throw invalid(`more than ${maxEntries} entries`);
        await archive.#take(entry);
      }
    } catch (error) {
      await archive.close();
      throw error;
    }
    return archive;
  }

  private constructor(storage: Storage, lease: Lease) {
    this.#storage = storage;
    this.#lease = lease;
  }

  /** Lets go of what nobody has taken. */
  async close(): Promise<void> {
    await Promise.all([...this.#early.values()].map(layer => layer.discard()));
  }

  has(path: string): boolean {
    const name = this.#follow(path);
    return this.#small.has(name) || this.#large.has(name);
  }

  /** @throws EngineError `invalid` when there is no such file or it is too large to be read as a whole. */
  bytes(path: string): Buffer {
    const bytes = this.#small.get(this.#follow(path));
    if (bytes === undefined) throw invalid(`${path} is missing or too large`);
    return bytes;
  }

  json(path: string): unknown {
    try {
      return JSON.parse(this.bytes(path).toString('utf8'));
    } catch (error) {
      throw error instanceof EngineError ? error : invalid(`${path} is not JSON`);
    }
  }

  /** The digest under which the file is in the blob store now. */
  async blob(path: string): Promise<Digest> {
    const name = this.#follow(path);
    const known = this.#large.get(name);
    if (known !== undefined) return known;
    return (await this.#storage.blobs.write(this.bytes(path), this.#lease.owner)).digest;
  }

  /** What was unpacked of a blob while it was read. */
  early(digest: Digest): EarlyLayer | undefined {
    return this.#early.get(digest);
  }

  /** The media type of a layer's blob; undefined when it is packed in a way no registry knows. */
  async layerType(digest: Digest): Promise<string | undefined> {
    const stream = this.#storage.blobs.stream(digest, { start: 0, end: magicLength - 1 });
    const head = Buffer.concat(await stream.toArray());
    const compression = detectCompression(head);
    switch (compression) {
      case 'none':
        return mediaTypes.ociLayer;
      case 'gzip':
        return mediaTypes.ociLayerGzip;
      case 'zstd':
        return mediaTypes.ociLayerZstd;
      default:
        return undefined;
    }
  }

  async #take(entry: TarEntry): Promise<void> {
    const { header } = entry;
    const name = insideName(header.name, header.name);
    switch (header.type) {
      case 'directory':
        return;
      case 'file':
        return this.#takeFile(name, entry);
      case 'symlink':
        this.#links.set(name, insideName(posix.join(posix.dirname(name), relative(header)), header.name));
        return;
      case 'hardlink':
        this.#links.set(name, insideName(header.linkName, header.name));
        return;
      default:
        throw invalid(`"${header.name}" is a device`);
    }
  }

  async #takeFile(name: string, entry: TarEntry): Promise<void> {
    const { size } = entry.header;
    const expected = digestInName(name);
    if (size <= smallBytes) {
      this.#smallTotal += size;
      if (this.#smallTotal > smallTotalBytes) throw invalid('too many small files');
      const bytes = await readBody(entry, smallBytes);
      if (expected !== undefined && digestOf(bytes) !== expected) throw wrongContent(name);
      this.#small.set(name, bytes);
      return;
    }
    const { blobs, layers } = this.#storage;
    const arrival = new Arrival();
    const ingest = await blobs.ingest({
      size,
      key: `load:${crypto.randomUUID()}`,
      arrival,
      ...(expected === undefined ? {} : { digest: expected }),
    });
    // Without a digest nobody can say whether it is here already.
    const { path, pastCache } = ingest;
    const early = expected && layers.unpackEarly(expected, { path, pastCache, arrival: arrival.shared });
    if (early !== undefined) this.#early.set(expected!, early);
    try {
      for await (const chunk of entry.body) await ingest.write(chunk);
      const { digest } = await ingest.commit();
      this.#lease.holdBlob(digest);
      this.#large.set(name, digest);
    } catch (error) {
      await ingest.abort({ keep: false });
      throw error;
    }
  }

  #follow(path: string): string {
    let name = posix.normalize(path);
    for (let links = 0; links < maxLinks; links++) {
      const target = this.#links.get(name);
      if (target === undefined) return name;
      name = target;
    }
    throw invalid(`too many links at ${path}`);
  }
}

/** `./a//b/` -> `a/b`. @throws EngineError `invalid` when the name leads out of the archive. */
function insideName(name: string, shown: string): string {
  const normal = posix.normalize(name).replace(/\/$/, '');
  if (posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../')) {
    throw invalid(`"${shown}" leads outside`);
  }
  return normal;
}

function relative(header: TarHeader): string {
  if (posix.isAbsolute(header.linkName)) throw invalid(`"${header.name}" leads outside`);
  return header.linkName;
}

/** `blobs/sha256/<hex>` says what the content is. */
function digestInName(name: string): Digest | undefined {
  const match = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name);
  const digest = `sha256:${match?.[1]}`;
  return match !== null && isDigest(digest) ? digest : undefined;
}

function wrongContent(name: string): EngineError {
  return new EngineError('corrupt', `invalid archive: the content of ${name} is not what its name says`);
}

function invalid(reason: string): EngineError {
  return new EngineError('invalid', `invalid archive: ${reason}`);
}
