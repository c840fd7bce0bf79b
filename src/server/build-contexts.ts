import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Storage } from '../storage/storage.ts';

export interface BuildContext {
  /** A private copy; the builder deletes from it. */
  readonly directory: string;
  remove(): Promise<void>;
}

/**
 * Where build contexts are unpacked, one directory a build:
 *
 *     <data-root>/build-contexts/<random>/
 *
 * Nothing in it outlives its build: what is there when the daemon starts was left by one that was killed.
 */
export class BuildContexts {
  readonly #storage: Storage;

  private constructor(storage: Storage) {
    this.#storage = storage;
  }

  static async open(storage: Storage): Promise<BuildContexts> {
    const { buildContexts } = storage.paths;
    for (const name of await readdir(buildContexts)) {
      await rm(join(buildContexts, name), { recursive: true, force: true });
    }
    return new BuildContexts(storage);
  }

  /** One with nothing in it. */
  async empty(): Promise<BuildContext> {
    const directory = await mkdtemp(join(this.#storage.paths.buildContexts, 'context-'));
    return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
  }

  /**
   * Unpacks a tar, compressed or not. A worker confined to the new directory does it, so that no entry can climb out.
   * @throws EngineError `invalid` for what is no tar, or tries to
   */
  async unpack(tar: Readable, signal: AbortSignal): Promise<BuildContext> {
    const { directory, remove } = await this.empty();
    try {
      const root = await this.#storage.confine(directory);
      try {
        await root.unpackTar('/', tar, { allowDevices: false, owner: { uid: 0, gid: 0 }, signal });
      } finally {
        await root.close();
      }
      return { directory, remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }
}
