import { noXattrs } from '../../archive/tar-header.ts';
import { lgetxattr, llistxattr, lsetxattr, type Path } from '../../linux/files.ts';
import { errnoOf } from '../../stdx/errors.ts';

/**
 * Which extended attributes belong to a file's content, and go into archives and out of them. Overlay's own say where
 * its layers redirect to: taken from an archive they would be an attack. Labels of SELinux, IMA and EVM belong to the
 * machine. Docker keeps file capabilities alone.
 */
export function keepsXattr(name: string): boolean {
  if (name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.')) return false;
  if (name.startsWith('security.')) return name === 'security.capability';
  return name.startsWith('user.') || name.startsWith('trusted.') || name.startsWith('system.posix_acl_');
}

/** Sorted by name. */
export function readXattrs(path: Path): ReadonlyMap<string, Buffer> {
  const names = llistxattr(path);
  if (names.length === 0) return noXattrs;
  const xattrs = new Map<string, Buffer>();
  for (const name of names.filter(keepsXattr).sort()) {
    const value = lgetxattr(path, name);
    if (value !== undefined) xattrs.set(name, Buffer.from(value));
  }
  return xattrs;
}

export function writeXattrs(path: Path, xattrs: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of xattrs) {
    if (!keepsXattr(name)) continue;
    try {
      lsetxattr(path, name, value);
    } catch (error) {
      // tmpfs and others have no user attributes, and symlinks cannot have any: nobody relies on those.
      const code = errnoOf(error);
      if (!name.startsWith('user.') || (code !== 'ENOTSUP' && code !== 'EPERM')) throw error;
    }
  }
}
