export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/**
 * One entry of a tar archive. Names keep bytes that are not UTF-8 as lone surrogates (names.ts), so a name is
 * always a string and always the right one.
 */
export interface TarHeader {
  /** As in the archive, without cleaning: may be absolute, end in `/` or climb with `..`. */
  name: string;
  type: TarEntryType;
  /** Bytes of a file's content with its holes; 0 for all else. */
  size: number;
  /** Permissions with setuid, setgid and sticky: 0..0o7777. */
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  /** Of symlinks and hard links; otherwise empty. */
  linkName: string;
  /** Of char and block devices; otherwise 0. */
  devMajor: number;
  devMinor: number;
  /** Values are raw bytes: file capabilities are binary. */
  xattrs: ReadonlyMap<string, Buffer>;
  uname: string;
  gname: string;
}

export const noXattrs: ReadonlyMap<string, Buffer> = new Map();

export const blockSize = 512;

/** Bytes to the next multiple of 512. */
export function paddingOf(size: number): number {
  return -size & (blockSize - 1);
}

/**
 * The header block, as POSIX.1-1988 (ustar) lays it out; numbers are octal text, strings end at the first zero.
 *
 *       0 name[100]   100 mode[8]   108 uid[8]   116 gid[8]   124 size[12]  136 mtime[12]
 *     148 checksum[8] 156 type[1]   157 linkname[100]
 *     257 magic[6]+version[2]: "ustar\0" "00" in POSIX archives, "ustar  \0" in GNU's, else as before 1988
 *     265 uname[32]   297 gname[32] 329 devmajor[8]   337 devminor[8]   345 prefix[155]
 *
 * GNU puts into the prefix's place, for sparse files (type S):
 *     386 four times offset[12] length[12]   482 "another block of 21 follows"[1]   483 size with holes[12]
 */
export const field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: 156,
  linkName: [157, 100],
  magic: [257, 8],
  uname: [265, 32],
  gname: [297, 32],
  devMajor: [329, 8],
  devMinor: [337, 8],
  prefix: [345, 155],
  gnuSparse: 386,
  gnuSparseExtended: 482,
  gnuSparseRealSize: [483, 12],
} as const;

/** The sum of all bytes, those of the checksum itself counted as spaces. */
export function checksumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < 148; at++) sum += block[at]!;
  for (let at = 156; at < blockSize; at++) sum += block[at]!;
  return sum;
}

/** As historical tars summed: bytes as signed characters. */
export function signedChecksumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < blockSize; at++) if (at < 148 || at >= 156) sum += (block[at]! << 24) >> 24;
  return sum;
}
