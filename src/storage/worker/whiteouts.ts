import { type BigIntStats, readdirSync, unlinkSync } from 'node:fs';
import { asPath } from '../../archive/names.ts';
import { S_IFCHR } from '../../linux/constants.ts';
import { lgetxattr, lsetxattr, mknod, type Path } from '../../linux/files.ts';
import { ifExists } from './attributes.ts';

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
/** fuse-overlayfs 1.x */
const fuseOpaqueName = '.wh..opq';
export const aufsPrefix = '.wh..wh.';
const opaqueXattr = 'trusted.overlay.opaque';

export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

export function isOpaque(path: Path): boolean {
  return lgetxattr(path, opaqueXattr)?.toString() === 'y';
}

/**
 * fuse-overlayfs says by files in it that a directory is opaque: the empty file of archives, and a whiteout of its own.
 * Here they become the attribute, which it reads as well.
 */
export function settleOpaqueMarkers(directory: string): void {
  const names = ifExists(() => readdirSync(asPath(directory), { withFileTypes: true })) ?? [];
  if (names.some(({ name }) => name === opaqueName)) {
    makeOpaque(asPath(directory));
    for (const name of [opaqueName, fuseOpaqueName])
      ifExists(() => unlinkSync(asPath(`${directory}/${name}`)));
  }
  for (const entry of names) if (entry.isDirectory()) settleOpaqueMarkers(`${directory}/${entry.name}`);
}

export function makeWhiteout(path: Path): void {
  mknod(path, S_IFCHR, 0, 0);
}

export function makeOpaque(path: Path): void {
  lsetxattr(path, opaqueXattr, Buffer.from('y'));
}
