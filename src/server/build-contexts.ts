import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { TreeMemory } from '../build/source-tree.ts';
import type { Storage } from '../storage/storage.ts';

export interface BuildContext {
  /** A private copy; the builder deletes from it. */
  readonly directory: string;
  remove(): Promise<void>;
}

/** A context that is kept for the next build from the same directory. */
export interface KeptContext extends BuildContext {
  /** What is known of its files, which are the client's. */
  readonly memory: ContextMemory;
  keep(): Promise<void>;
}

export interface ContextMemory {
  /** As receiveDirectory() has it; undefined while it is not known what came over. */
  list: readonly string[] | undefined;
  /** What the client's digest of its files was when that list came; undefined: it told none. */
  digest: Buffer | undefined;
  /** Of the builder; undefined: of a new context. */
  tree: TreeMemory | undefined;
}

/** How many contexts are kept for builds to come; the one unused for longest goes first. */
const maxKept = 8;

/**
 * Where build contexts are unpacked, one directory a build:
 *
 *     <data-root>/build-contexts/<random>/
 *
 * One that a client sends file by file is kept after its build, under what the client calls it, so that the next time
 * only what has changed has to come. Nothing in it outlives the daemon: what is there when it starts was left by the
 * last one.
 */
export class BuildContexts {
  readonly #storage: Storage;
  /** Not in use, the one used last at the end. */
  #kept: { key: string; directory: string; memory: ContextMemory }[] = [];

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
    // Bound into a RUN it may be read by any user there; nobody else gets past the directory above.
    await chmod(directory, 0o755);
    return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
  }

  /**
   * The context last kept under a key, as it was left, or an empty one; whoever has it, has it alone. To be given back
   * by keep() or removed.
   */
  async take(key: string): Promise<KeptContext> {
    const index = this.#kept.findLastIndex(one => one.key === key);
    const { directory, memory } =
      index < 0
        ? {
            ...(await this.empty()),
            memory: { list: undefined, digest: undefined, tree: undefined },
          }
        : this.#kept.splice(index, 1)[0]!;
    const remove = () => rm(directory, { recursive: true, force: true });
    return {
      directory,
      memory,
      remove,
      keep: async () => {
        // Builds that ran at once leave one each.
        const superfluous = this.#kept.filter(one => one.key === key);
        this.#kept = [...this.#kept.filter(one => one.key !== key), { key, directory, memory }];
        superfluous.push(...this.#kept.splice(0, Math.max(0, this.#kept.length - maxKept)));
        for (const one of superfluous) await rm(one.directory, { recursive: true, force: true });
      },
    };
  }

  /** Frees what is kept. */
  async forget(): Promise<void> {
    for (const { directory } of this.#kept.splice(0)) await rm(directory, { recursive: true, force: true });
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
        await root.unpackTar('/', tar, { owner: { uid: 0, gid: 0 }, signal });
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
