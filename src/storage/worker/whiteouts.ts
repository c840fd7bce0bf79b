import type { BigIntStats } from 'node:fs';
import { S_IFCHR } from '../../linux/constants.ts';
import { lgetxattr, lsetxattr, mknod, type Path } from '../../linux/files.ts';

/**
 * What is deleted, as archives say it (OCI image-spec, layer.md#whiteouts) and as overlayfs says it (kernel,
 * filesystems/overlayfs.rst):
 *
 *     d/.wh.x         an empty file      d/x is a character device 0:0
 *     d/.wh..wh..opq  an empty file      d has the attribute trusted.overlay.opaque=y: nothing below shines through
 *     .wh..wh.*       (at the top) AUFS's own files, skipped
 */
export const whiteoutPrefix = '.wh.';
export const opaqueName = '.wh..wh..opq';
export const aufsPrefix = '.wh..wh.';
const opaqueXattr = 'trusted.overlay.opaque';

export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

export function isOpaque(path: Path): boolean {
  return lgetxattr(path, opaqueXattr)?.toString() === 'y';
}

export function makeWhiteout(path: Path): void {
  mknod(path, S_IFCHR, 0, 0);
}

export function makeOpaque(path: Path): void {
  lsetxattr(path, opaqueXattr, Buffer.from('y'));
}
