import { listMounts } from '../linux/mount.ts';

/** What holds a path, in Docker's words: `extfs`, `xfs`, `btrfs`, `tmpfs` ... */
export function fileSystemName(path: string): string {
  const holder = listMounts()
    .filter(
      ({ mountPoint }) => path === mountPoint || mountPoint === '/' || path.startsWith(`${mountPoint}/`),
    )
    .sort((a, b) => a.mountPoint.length - b.mountPoint.length)
    .at(-1);
  const type = holder?.type ?? 'unknown';
  return /^ext[234]$/.test(type) ? 'extfs' : type;
}
