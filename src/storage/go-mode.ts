import type { FileType } from './worker/look.ts';

/** Bits of Go's os.FileMode (io/fs), which Docker's API sends for files in containers. */
const typeBits: Readonly<Record<FileType, number>> = {
  file: 0,
  directory: 2 ** 31,
  symlink: 2 ** 27,
  block: 2 ** 26,
  char: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};

/** Sums, not ors: bit 31 makes JavaScript's 32-bit operators go negative. */
export function goModeOf({ type, permissions }: { type: FileType; permissions: number }): number {
  const special =
    ((permissions & 0o4000) !== 0 ? 2 ** 23 : 0) +
    ((permissions & 0o2000) !== 0 ? 2 ** 22 : 0) +
    ((permissions & 0o1000) !== 0 ? 2 ** 20 : 0);
  return typeBits[type] + special + (permissions & 0o777);
}
