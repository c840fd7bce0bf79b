import { EngineError } from '../stdx/errors.ts';
import { decodeName } from './names.ts';
import { decimal, type PaxRecord, parsePaxTime } from './pax.ts';
import { field, noXattrs, type TarEntryType, type TarHeader } from './tar-header.ts';
import { parseNumber } from './tar-number.ts';

const ustarMagic = Buffer.from('ustar\x0000');
const gnuMagic = Buffer.from('ustar  \0');
const starTrailer = Buffer.from('tar\0');

const entryTypes: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What the block itself says, before extended headers. @throws EngineError `invalid` */
export function decodeBlock(block: Buffer, typeFlag: string): TarHeader {
  let name = stringAt(block, field.name);
  const posix = matches(block, field.magic[0], ustarMagic);
  if (posix) {
    // star keeps times at the prefix's end.
    const prefix = stringAt(block, matches(block, 508, starTrailer) ? [field.prefix[0], 131] : field.prefix);
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  let type = entryTypes[typeFlag];
  if (type === undefined)
    throw invalidTar(`unknown entry type ${JSON.stringify(typeFlag)} of ${JSON.stringify(name)}`);
  // Before POSIX had directories, a name's last character told them.
  if (typeFlag === '\0' && name.endsWith('/')) type = 'directory';
  const device = type === 'char' || type === 'block';
  const named = posix || matches(block, field.magic[0], gnuMagic);
  return {
    name,
    type,
    size: parseNumber(block, field.size, 'size'),
    mode: parseNumber(block, field.mode, 'mode') & 0o7777,
    uid: parseNumber(block, field.uid, 'uid'),
    gid: parseNumber(block, field.gid, 'gid'),
    mtimeNs: BigInt(parseNumber(block, field.mtime, 'mtime')) * 1_000_000_000n,
    linkName: type === 'symlink' || type === 'hardlink' ? stringAt(block, field.linkName) : '',
    devMajor: device ? parseNumber(block, field.devMajor, 'device') : 0,
    devMinor: device ? parseNumber(block, field.devMinor, 'device') : 0,
    xattrs: noXattrs,
    uname: named ? stringAt(block, field.uname) : '',
    gname: named ? stringAt(block, field.gname) : '',
  };
}

/** An empty value takes back what a global header or the block said, except for names of xattrs. */
export function applyRecord(header: TarHeader, { key, value }: PaxRecord): void {
  if (key.startsWith('SCHILY.xattr.')) {
    if (header.xattrs === noXattrs) header.xattrs = new Map();
    (header.xattrs as Map<string, Buffer>).set(key.slice('SCHILY.xattr.'.length), Buffer.from(value));
    return;
  }
  if (value.length === 0) return;
  switch (key) {
    case 'path':
      header.name = decodeName(value);
      break;
    case 'linkpath':
      header.linkName = decodeName(value);
      break;
    case 'size':
    case 'uid':
    case 'gid':
      header[key] = decimal(value.toString('latin1'));
      break;
    case 'mtime':
      header.mtimeNs = parsePaxTime(value.toString('latin1'));
      break;
    case 'uname':
    case 'gname':
      header[key] = decodeName(value);
      break;
  }
}

function stringAt(block: Buffer, [at, length]: readonly [number, number]): string {
  if (block[at] === 0) return '';
  return decodeName(untilZero(block.subarray(at, at + length)));
}

export function untilZero(bytes: Buffer): Buffer {
  const zero = bytes.indexOf(0);
  return zero === -1 ? bytes : bytes.subarray(0, zero);
}

function matches(block: Buffer, at: number, wanted: Buffer): boolean {
  return block.compare(wanted, 0, wanted.length, at, at + wanted.length) === 0;
}

export function invalidTar(what: string): EngineError {
  return new EngineError('invalid', `invalid tar archive: ${what}`);
}

/** In Go's words, which clients know. */
export function unexpectedEnd(): EngineError {
  return new EngineError('invalid', 'unexpected EOF');
}
