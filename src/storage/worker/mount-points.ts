import { closeSync, lstatSync, openSync, statSync, symlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { ifExists } from './attributes.ts';
import { makeDirectory, resolvePath } from './look.ts';

/** As Docker's init layer has them (daemon/initlayer/setup_unix.go). */
const directories = ['/dev/pts', '/dev/shm', '/proc', '/sys'];
const files = ['/.dockerenv', '/etc/resolv.conf', '/etc/hosts', '/etc/hostname', '/dev/console'];
const links: readonly [path: string, target: string][] = [['/etc/mtab', '/proc/mounts']];

/** Makes what containers have mounted over, where the image lacks it. In a worker confined to the image. */
export function makeMountPoints(): void {
  for (const path of directories) if (!exists(path)) makeDirectory(path);
  for (const path of files) if (prepare(path)) closeSync(openSync(path, 'wx', 0o755));
  for (const [path, target] of links) if (prepare(path)) symlinkSync(target, path);
}

/** What is mounted over. */
const paths = [...directories, ...files];
const tops = new Set(paths.map(path => path.split('/')[1]!));

/** Whether a layer itself says anything of where they are: mount points made for what is below it are not for it. */
export function holdsMountPoints(layer: string): boolean {
  return [...tops].some(top => lstatSync(join(layer, top), { throwIfNoEntry: false }) !== undefined);
}

/** Whether a layer has a symbolic link on the way to one: then what it leads to counts, wherever that is. */
export function linksMountPoints(layer: string): boolean {
  return paths.some(path => {
    let at = layer;
    for (const name of path.slice(1).split('/')) {
      at = join(at, name);
      const stat = lstatSync(at, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink() === true) return true;
      if (stat?.isDirectory() !== true) return false;
    }
    return false;
  });
}

/** @returns whether it has to be made; its directory is there then. */
function prepare(path: string): boolean {
  if (exists(path) || ifExists(() => lstatSync(path)) !== undefined) return false;
  const parent = resolvePath(posix.dirname(path));
  makeDirectory(parent);
  return true;
}

function exists(path: string): boolean {
  return ifExists(() => statSync(path)) !== undefined;
}
