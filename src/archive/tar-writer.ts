import { EngineError } from '../stdx/errors.ts';
import { encodeName } from './names.ts';
import { encodePaxRecord, formatPaxTime } from './pax.ts';
import {
  blockSize,
  checksumOf,
  field,
  noXattrs,
  paddingOf,
  type TarEntryType,
  type TarHeader,
} from './tar-header.ts';
import { fitsOctal, writeNumber } from './tar-number.ts';

/** A header with what most entries do not have left out. */
export type TarHeaderInit = Pick<TarHeader, 'name' | 'type'> & Partial<TarHeader>;

/**
 * The bytes before an entry's content: a ustar block, and before it a PAX extended header for what ustar cannot
 * say. The same header always gives the same bytes: records are sorted, and nothing of the writing machine (time,
 * user, process) goes in.
 */
export function encodeHeader(init: TarHeaderInit): Buffer {
  const header = withDefaults(init);
  const name = encodeName(
    header.type === 'directory' && !header.name.endsWith('/') ? `${header.name}/` : header.name,
  );
  const linkName = encodeName(header.linkName);
  const split = splitName(name);
  const records = paxRecordsOf(header, name, linkName, split === undefined);
  const block = encodeBlock(header, split ?? [Buffer.alloc(0), name.subarray(0, 100)], linkName);
  return records === undefined ? block : Buffer.concat([encodePaxHeader(records), block]);
}

/** Zeros after a content of that size. */
export function encodePadding(size: number): Buffer {
  return zeros.subarray(0, paddingOf(size));
}

/** Two blocks of zeros. */
export function encodeEnd(): Buffer {
  return zeros.subarray(0, 2 * blockSize);
}

/** Writes an archive of things in memory or in streams; trees on disk are packed by storage/. */
export class TarWriter {
  readonly #output: (bytes: Buffer) => void | Promise<void>;

  constructor(output: (bytes: Buffer) => void | Promise<void>) {
    this.#output = output;
  }

  /** An entry without content, or with one that is at hand. */
  async add(header: TarHeaderInit, content: Uint8Array | string = ''): Promise<void> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content);
    await this.addStream({ ...header, size: bytes.length }, [bytes]);
  }

  /** @throws EngineError `internal` when the source has not exactly `header.size` bytes; the archive is no good then. */
  async addStream(
    header: TarHeaderInit & { size: number },
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    await this.#output(encodeHeader(header));
    let written = 0;
    for await (const chunk of source) {
      written += chunk.length;
      if (written > header.size) break;
      if (chunk.length > 0) await this.#output(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    }
    if (written !== header.size) {
      throw new EngineError('internal', `${header.name} has not the ${header.size} bytes announced`);
    }
    if (paddingOf(header.size) > 0) await this.#output(encodePadding(header.size));
  }

  async end(): Promise<void> {
    await this.#output(encodeEnd());
  }
}

const zeros = Buffer.alloc(2 * blockSize);

const typeFlags: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

function withDefaults(init: TarHeaderInit): TarHeader {
  const mode = init.type === 'directory' ? 0o755 : init.type === 'symlink' ? 0o777 : 0o644;
  const none = {
    size: 0,
    uid: 0,
    gid: 0,
    mtimeNs: 0n,
    linkName: '',
    devMajor: 0,
    devMinor: 0,
    uname: '',
    gname: '',
  };
  return { mode, xattrs: noXattrs, ...none, ...init };
}

/** A name of more than 100 bytes may be cut at a slash: the front goes into the prefix. */
function splitName(name: Buffer): [prefix: Buffer, name: Buffer] | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return [Buffer.alloc(0), name];
  if (name.length > 256) return undefined;
  // The slash at the end of a directory's name must stay with it.
  const slash = name.lastIndexOf(0x2f, Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return [name.subarray(0, slash), name.subarray(slash + 1)];
}

function paxRecordsOf(
  header: TarHeader,
  name: Buffer,
  linkName: Buffer,
  longName: boolean,
): Buffer[] | undefined {
  if (!longName && header.xattrs.size === 0 && isPlain(header, linkName)) return undefined;
  const records = new Map<string, Buffer>();
  const number = (key: string, value: number, length: number) => {
    if (!fitsOctal(value, length)) records.set(key, Buffer.from(String(value)));
  };
  if (longName) records.set('path', name);
  if (linkName.length > 100 || !isAscii(linkName)) records.set('linkpath', linkName);
  number('size', header.size, field.size[1]);
  number('uid', header.uid, field.uid[1]);
  number('gid', header.gid, field.gid[1]);
  if (!isPlainTime(header.mtimeNs)) records.set('mtime', Buffer.from(formatPaxTime(header.mtimeNs)));
  for (const key of ['uname', 'gname'] as const) {
    const value = encodeName(header[key]);
    if (value.length > 32 || !isAscii(value)) records.set(key, value);
  }
  for (const [key, value] of header.xattrs) records.set(`SCHILY.xattr.${key}`, value);
  return [...records]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => encodePaxRecord(encodeName(key), value));
}

/** Whether a block of 1988 can say it all; most entries, so it is asked before anything is made. */
function isPlain(header: TarHeader, linkName: Buffer): boolean {
  const { size, uid, gid, mtimeNs, uname, gname } = header;
  return (
    linkName.length <= 100 &&
    isAscii(linkName) &&
    fitsOctal(size, field.size[1]) &&
    fitsOctal(uid, field.uid[1]) &&
    fitsOctal(gid, field.gid[1]) &&
    isPlainTime(mtimeNs) &&
    uname === '' &&
    gname === ''
  );
}

function isPlainTime(timeNs: bigint): boolean {
  return timeNs >= 0n && timeNs % 1_000_000_000n === 0n && timeNs < 1_000_000_000n * 8n ** 11n;
}

function encodePaxHeader(records: readonly Buffer[]): Buffer {
  const body = Buffer.concat(records);
  const init: TarHeaderInit = { name: 'PaxHeaders.0/x', type: 'file', size: body.length };
  const block = encodeBlock(
    withDefaults(init),
    [Buffer.alloc(0), Buffer.from(init.name)],
    Buffer.alloc(0),
    'x',
  );
  return Buffer.concat([block, body, encodePadding(body.length)]);
}

function encodeBlock(
  header: TarHeader,
  [prefix, name]: readonly [Buffer, Buffer],
  linkName: Buffer,
  typeFlag: string = typeFlags[header.type],
): Buffer {
  const block = Buffer.alloc(blockSize);
  name.copy(block, field.name[0], 0, 100);
  writeNumber(block, field.mode, header.mode);
  writeOctal(block, field.uid, header.uid);
  writeOctal(block, field.gid, header.gid);
  writeOctal(block, field.size, header.size);
  writeOctal(block, field.mtime, isPlainTime(header.mtimeNs) ? Number(header.mtimeNs / 1_000_000_000n) : -1);
  block[field.type] = typeFlag.charCodeAt(0);
  linkName.copy(block, field.linkName[0], 0, 100);
  block.write('ustar\x0000', field.magic[0], 'latin1');
  encodeName(header.uname).copy(block, field.uname[0], 0, 32);
  encodeName(header.gname).copy(block, field.gname[0], 0, 32);
  writeNumber(block, field.devMajor, header.devMajor);
  writeNumber(block, field.devMinor, header.devMinor);
  prefix.copy(block, field.prefix[0]);
  block.write(`${checksumOf(block).toString(8).padStart(6, '0')}\0 `, field.checksum[0], 'latin1');
  return block;
}

/** Zero stands for what the PAX header says. */
function writeOctal(block: Buffer, at: readonly [number, number], number: number): void {
  writeNumber(block, at, fitsOctal(number, at[1]) ? number : 0);
}

function isAscii(bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes[index]! >= 0x80) return false;
  return true;
}
