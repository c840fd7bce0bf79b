import { decodeName } from './names.ts';
import { decimal, type PaxRecord, parsePaxRecords } from './pax.ts';
import {
  checkPieces,
  oldSparseRealSize,
  parseOldSparse,
  parseSparseLines,
  type SparsePiece,
  sparsePiecesOf,
} from './sparse.ts';
import { applyRecord, decodeBlock, invalidTar, unexpectedEnd, untilZero } from './tar-decode.ts';
import { blockSize, checksumOf, field, paddingOf, signedChecksumOf, type TarHeader } from './tar-header.ts';
import { parseNumber } from './tar-number.ts';

/** What the parser calls, in this order for each entry; an exception goes through to the caller of `write`. */
export interface TarSink {
  entry(header: TarHeader): void;
  /** A piece of the content and where it belongs; the holes of sparse files are left out. Valid during the call. */
  data(chunk: Buffer, offset: number): void;
  endEntry(): void;
  /** What is known of the entry still comes, but no more is read. */
  readonly busy?: boolean;
}

/**
 * A tar parser that is fed: synchronous, without copies of content. Reads ustar, PAX (also global headers), GNU
 * (long names, sparse files, binary numbers), star and the tar of 1979.
 *
 *     header block, content, zeros up to a multiple of 512; again; two blocks of zeros; anything
 *
 * Entries of type x, g, L, K come before the entry they belong to and are merged into it.
 */
export class TarParser {
  readonly #sink: TarSink;
  /** The beginning of a block whose rest is not there yet. */
  readonly #partial = Buffer.alloc(blockSize);
  #partialLength = 0;
  #state: 'header' | 'meta' | 'sparseBlock' | 'sparseLines' | 'content' | 'padding' | 'end' = 'header';
  /** Bytes left of what the state reads. */
  #remaining = 0;
  #padding = 0;
  #zeroBlocks = 0;

  readonly #globals = new Map<string, PaxRecord>();
  #local: PaxRecord[] = [];
  #longName: string | undefined;
  #longLink: string | undefined;

  #metaType = '';
  #collected: Buffer[] = [];
  #collectedLength = 0;
  #nextAttempt = 0;

  #header: TarHeader | undefined;
  #pieces: SparsePiece[] | undefined;
  #pieceIndex = 0;
  #pieceDone = 0;
  #offset = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Both last blocks were there: what still comes is no part of the archive. */
  get ended(): boolean {
    return this.#state === 'end';
  }

  /**
   * @returns how many of the bytes were taken: the rest is to be written again when the sink is no longer busy.
   * @throws EngineError `invalid` for what is no tar archive, and whatever the sink throws.
   */
  write(bytes: Uint8Array): number {
    const chunk = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at < chunk.length && this.#sink.busy !== true) {
      switch (this.#state) {
        case 'header':
        case 'sparseBlock':
          at = this.#takeBlock(chunk, at);
          break;
        case 'content':
          at = this.#takeContent(chunk, at);
          break;
        case 'padding':
          at = this.#takePadding(chunk, at);
          break;
        case 'meta':
        case 'sparseLines':
          at = this.#collect(chunk, at);
          break;
        case 'end':
          return chunk.length;
      }
    }
    return at;
  }

  /** The archive is over. Its two last blocks may be missing, as other tars allow. @throws EngineError `invalid` */
  end(): void {
    // What padding the last entry should have had matters to nobody.
    const atBoundary = this.#state === 'padding' || (this.#state === 'header' && this.#partialLength === 0);
    if (this.#state !== 'end' && (!atBoundary || this.#hasMeta())) throw unexpectedEnd();
  }

  #hasMeta(): boolean {
    return this.#local.length > 0 || this.#longName !== undefined || this.#longLink !== undefined;
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#partialLength === 0 && chunk.length - at >= blockSize) {
      this.#onBlock(chunk.subarray(at, at + blockSize));
      return at + blockSize;
    }
    const taken = Math.min(blockSize - this.#partialLength, chunk.length - at);
    chunk.copy(this.#partial, this.#partialLength, at, at + taken);
    this.#partialLength += taken;
    if (this.#partialLength === blockSize) {
      this.#partialLength = 0;
      this.#onBlock(this.#partial);
    }
    return at + taken;
  }

  #onBlock(block: Buffer): void {
    if (this.#state === 'sparseBlock') {
      parseOldSparse(block, 0, 21, this.#pieces!);
      if (block[504] === 0) this.#beginContent();
      return;
    }
    if (isZero(block)) {
      if (++this.#zeroBlocks === 2) this.#state = 'end';
      if (this.#zeroBlocks === 2 && this.#hasMeta()) throw unexpectedEnd();
      return;
    }
    this.#zeroBlocks = 0;
    this.#onHeader(block);
  }

  #onHeader(block: Buffer): void {
    const wanted = parseNumber(block, field.checksum, 'checksum');
    if (wanted !== checksumOf(block) && wanted !== signedChecksumOf(block))
      throw invalidTar('bad header checksum');
    const type = String.fromCharCode(block[field.type]!);
    if (type === 'x' || type === 'X' || type === 'g' || type === 'L' || type === 'K')
      this.#beginMeta(block, type);
    else this.#beginEntry(block, type);
  }

  #beginMeta(block: Buffer, type: string): void {
    const size = parseNumber(block, field.size, 'size');
    if (size < 0 || size > maxMetaSize) throw invalidTar(`extended header of ${size} bytes`);
    this.#metaType = type;
    this.#remaining = size;
    this.#padding = paddingOf(size);
    this.#state = 'meta';
    if (size === 0) this.#endMeta(Buffer.alloc(0));
  }

  #endMeta(bytes: Buffer): void {
    switch (this.#metaType) {
      case 'L':
        this.#longName = decodeName(untilZero(bytes));
        break;
      case 'K':
        this.#longLink = decodeName(untilZero(bytes));
        break;
      case 'g':
        for (const record of parsePaxRecords(bytes)) this.#setGlobal(record);
        break;
      default:
        this.#local = parsePaxRecords(bytes);
    }
    this.#remaining = this.#padding;
    this.#state = 'padding';
    this.#header = undefined;
  }

  /** A global name or size would give all entries the same one; nobody means that. */
  #setGlobal(record: PaxRecord): void {
    if (['path', 'linkpath', 'size'].includes(record.key) || record.key.startsWith('GNU.sparse.')) return;
    if (record.value.length === 0) this.#globals.delete(record.key);
    else this.#globals.set(record.key, record);
  }

  #beginEntry(block: Buffer, type: string): void {
    const header = decodeBlock(block, type);
    const records = this.#globals.size === 0 ? this.#local : [...this.#globals.values(), ...this.#local];
    if (this.#longName !== undefined) header.name = this.#longName;
    if (this.#longLink !== undefined) header.linkName = this.#longLink;
    for (const record of records) applyRecord(header, record);
    if (header.name.includes('\0') || header.linkName.includes('\0')) throw invalidTar('zero byte in a name');
    const local = this.#local;
    this.#local = [];
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#header = header;
    this.#pieces = undefined;
    this.#offset = 0;
    if (header.type !== 'file') header.size = 0;
    if (header.size < 0) throw invalidTar('negative size');
    this.#remaining = header.size;
    this.#padding = paddingOf(header.size);
    if (type === 'S') this.#beginOldSparse(block, header);
    else if (header.type === 'file' && local.some(({ key }) => key.startsWith('GNU.sparse.')))
      this.#beginPaxSparse(header, local);
    else this.#beginContent();
  }

  #beginOldSparse(block: Buffer, header: TarHeader): void {
    header.size = oldSparseRealSize(block);
    this.#pieces = [];
    parseOldSparse(block, field.gnuSparse, 4, this.#pieces);
    if (block[field.gnuSparseExtended] === 0) this.#beginContent();
    else this.#state = 'sparseBlock';
  }

  #beginPaxSparse(header: TarHeader, records: readonly PaxRecord[]): void {
    const text = (key: string) => records.findLast(record => record.key === key)?.value;
    const name = text('GNU.sparse.name');
    if (name !== undefined) header.name = decodeName(name);
    const realSize = text('GNU.sparse.realsize') ?? text('GNU.sparse.size');
    if (realSize !== undefined) header.size = decimal(realSize.toString('latin1'));
    if (text('GNU.sparse.major')?.toString('latin1') === '1') {
      this.#nextAttempt = blockSize;
      this.#state = 'sparseLines';
      if (this.#remaining === 0) throw invalidTar('bad map of a sparse file');
      return;
    }
    this.#pieces = sparsePiecesOf(records);
    this.#beginContent();
  }

  #beginContent(): void {
    const header = this.#header!;
    if (this.#pieces !== undefined) checkPieces(this.#pieces, header.size, this.#remaining);
    this.#pieceIndex = 0;
    this.#pieceDone = 0;
    this.#sink.entry(header);
    this.#state = 'content';
    if (this.#remaining === 0) this.#endContent();
  }

  #endContent(): void {
    this.#sink.endEntry();
    this.#header = undefined;
    this.#remaining = this.#padding;
    this.#state = this.#padding === 0 ? 'header' : 'padding';
  }

  #takeContent(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining);
    if (this.#pieces === undefined) {
      this.#sink.data(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end), this.#offset);
      this.#offset += end - at;
    } else this.#takePieces(chunk, at, end);
    this.#remaining -= end - at;
    if (this.#remaining === 0) this.#endContent();
    return end;
  }

  #takePieces(chunk: Buffer, at: number, end: number): void {
    while (at < end) {
      const piece = this.#pieces![this.#pieceIndex]!;
      const length = Math.min(piece.length - this.#pieceDone, end - at);
      if (length > 0) this.#sink.data(chunk.subarray(at, at + length), piece.offset + this.#pieceDone);
      at += length;
      this.#pieceDone += length;
      if (this.#pieceDone < piece.length) continue;
      this.#pieceIndex++;
      this.#pieceDone = 0;
    }
  }

  #takePadding(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#remaining, chunk.length - at);
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#state = 'header';
    return at + taken;
  }

  /** Gathers what has to be read as a whole: extended headers, and the map at the beginning of a sparse file. */
  #collect(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#remaining, chunk.length - at);
    this.#collected.push(Buffer.from(chunk.subarray(at, at + taken)));
    this.#collectedLength += taken;
    this.#remaining -= taken;
    if (this.#state === 'meta') {
      if (this.#remaining === 0) this.#endMeta(this.#takeCollected());
    } else if (this.#remaining === 0 || this.#collectedLength >= this.#nextAttempt) this.#trySparseLines();
    return at + taken;
  }

  #trySparseLines(): void {
    const content = this.#takeCollected();
    const parsed = parseSparseLines(content);
    const mapSize = parsed === undefined ? 0 : parsed.mapSize + paddingOf(parsed.mapSize);
    if (parsed === undefined || mapSize > content.length) {
      if (this.#remaining === 0) throw invalidTar('bad map of a sparse file');
      this.#collected = [content];
      this.#collectedLength = content.length;
      // Doubling keeps reading the same lines again and again from being quadratic.
      this.#nextAttempt = content.length * 2;
      return;
    }
    const data = content.subarray(mapSize);
    this.#pieces = parsed.pieces;
    this.#remaining += data.length;
    this.#beginContent();
    if (data.length > 0) this.#takeContent(data, 0);
  }

  #takeCollected(): Buffer {
    const bytes = this.#collected.length === 1 ? this.#collected[0]! : Buffer.concat(this.#collected);
    this.#collected = [];
    this.#collectedLength = 0;
    return bytes;
  }
}

/** As Go's archive/tar: real ones are some hundred bytes. */
const maxMetaSize = 1 << 20;

const zeroBlock = Buffer.alloc(blockSize);

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeroBlock);
}
