import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { actWithFileIds } from '../linux/file-ids.ts';
import { idMappedMount, listMounts, unmount } from '../linux/mount.ts';
import { openUserNamespace } from '../linux/user-namespace.ts';
import { formatIdMap, hostIdOf, type IdMappings } from '../oci/id-mappings.ts';
import { EngineError, errnoOf, within } from '../stdx/errors.ts';
import type { StoragePaths } from './paths.ts';

/**
 * Views of what is on disk for containers in a user namespace. Files keep the owners they have in the image, and
 * the kernel shifts them on the way (id-mapped mounts, Linux 5.12; below an overlay 5.19): containers with the namespace
 * and without share layers and volumes, and nothing is copied or chowned.
 *
 *     <exec-root>/mapped/
 *     ├── layers, snapshots     overlays for such containers are made of these
 *     └── views/<number>        a volume for one container, while its mounts are being made
 *
 * Mounts that were made from a view keep working without it, so the views need not outlive the daemon.
 */
export class IdMappedTrees {
  readonly mappings: IdMappings;
  readonly #paths: StoragePaths;
  readonly #userNamespaceFd: number;
  #lastView = 0;

  /**
   * @param unshare path of unshare(1)
   * @throws EngineError `unavailable` where kernel or file system cannot do it.
   */
  static async open(paths: StoragePaths, mappings: IdMappings, unshare: string): Promise<IdMappedTrees> {
    for (const path of [paths.dataRoot, paths.execRoot]) requirePassable(path);
    const maps = { uidMap: formatIdMap(mappings.uid), gidMap: formatIdMap(mappings.gid) };
    const trees = new IdMappedTrees(paths, mappings, await openUserNamespace(unshare, maps));
    try {
      mkdirSync(join(paths.mapped, 'views'), { recursive: true, mode: 0o711 });
      for (const path of [paths.layers, paths.snapshots]) trees.#show(path, trees.viewOf(path));
      return trees;
    } catch (error) {
      trees.close();
      const reason = within(
        `userns-remap needs id-mapped mounts, which ${paths.dataRoot} does not allow`,
        error,
      );
      throw new EngineError('unavailable', reason.message, { cause: error });
    }
  }

  private constructor(paths: StoragePaths, mappings: IdMappings, userNamespaceFd: number) {
    this.#paths = paths;
    this.mappings = mappings;
    this.#userNamespaceFd = userNamespaceFd;
  }

  /** Where a directory below `layers` or `snapshots` is seen with shifted owners. */
  viewOf(path: string): string {
    for (const tree of [this.#paths.layers, this.#paths.snapshots]) {
      if (path === tree || path.startsWith(`${tree}/`)) {
        return join(this.#paths.mapped, basename(tree), path.slice(tree.length));
      }
    }
    throw new EngineError('internal', `${path} has no id-mapped view`);
  }

  /**
   * Shows a volume or another directory of the engine's own with shifted owners, until `release`. Where its file
   * system cannot do that (NFS, FUSE) it is left as it is: the container sees it as it sees a bind mount.
   */
  show(source: string): { path: string; release: () => void } {
    const path = join(this.#paths.mapped, 'views', String(++this.#lastView));
    try {
      this.#show(source, path);
    } catch (error) {
      removeTarget(path);
      if (errnoOf(error) !== 'EINVAL') throw error;
      return { path: source, release: () => {} };
    }
    return { path, release: () => remove(path) };
  }

  /** An overlay makes files of its own with the ids of who mounts it, which must have a place in the views. */
  actAsRoot(work: () => void): void {
    const { mappings } = this;
    const goBack = actWithFileIds({
      uid: hostIdOf(0, mappings.uid) ?? 0,
      gid: hostIdOf(0, mappings.gid) ?? 0,
    });
    try {
      work();
    } finally {
      goBack();
    }
  }

  /** Overlays made of the views live on. */
  close(): void {
    closeSync(this.#userNamespaceFd);
    removeViews(this.#paths);
  }

  #show(source: string, target: string): void {
    if (lstatSync(source).isDirectory()) mkdirSync(target, { mode: 0o711 });
    else writeFileSync(target, '', { mode: 0o644 });
    idMappedMount(source, target, this.#userNamespaceFd);
  }
}

/** The containers' root has to get to its files: every directory on the way must let others pass. */
function requirePassable(path: string): void {
  for (let above = dirname(path); ; above = dirname(above)) {
    if ((statSync(above).mode & 0o001) === 0) {
      throw new EngineError(
        'invalid',
        `a subdirectory in your graphroot path (${path}) restricts access to the remapped root uid/gid; please fix by allowing 'o+x' permissions on existing directories`,
      );
    }
    if (above === '/') return;
  }
}

/** At start: what a killed daemon left. Never recursive: were something mounted still, nothing of it may be deleted. */
export function removeViews(paths: StoragePaths): void {
  const { mapped } = paths;
  if (!existsSync(mapped)) return;
  for (const { mountPoint } of listMounts(mapped).reverse()) unmount(mountPoint, { detach: true });
  const views = join(mapped, 'views');
  if (existsSync(views)) for (const name of readdirSync(views)) removeTarget(join(views, name));
  for (const name of readdirSync(mapped)) rmdirSync(join(mapped, name));
  rmdirSync(mapped);
}

/** Idempotent. */
function remove(path: string): void {
  if (!existsSync(path)) return;
  unmount(path, { detach: true });
  removeTarget(path);
}

function removeTarget(path: string): void {
  if (lstatSync(path).isDirectory()) rmdirSync(path);
  else unlinkSync(path);
}
