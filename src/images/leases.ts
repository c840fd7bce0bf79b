import { randomBytes } from 'node:crypto';
import type { Digest } from '../oci/digest.ts';
import type { Log } from '../stdx/log.ts';
import type { Storage } from '../storage/storage.ts';
import type { ImageTables } from './tables.ts';

/** Holds blobs and layers that no image owns yet. */
export interface Lease {
  /** By which blobs and layers are referenced. */
  readonly owner: string;
  holdLayer(chainId: Digest): void;
  holdBlob(digest: Digest): void;
  /** The work is done, an image owns what it needs: let go and remove the rest. */
  release(): Promise<void>;
  /** The work was cut short: keep what there is, so that the next try starts there. */
  leave(): void;
}

const once = 'once:';

/** Long enough for "try again tomorrow", short enough not to fill the disk with what nobody wants any more. */
const keptMs = 24 * 60 * 60 * 1000;

/**
 * Leases of unfinished pulls, loads and imports. A pull that was cut, also by SIGKILL, leaves its finished layers
 * here; the same pull finds them again, a day without one or an image prune drops them.
 */
export class Leases {
  readonly #tables: ImageTables;
  readonly #storage: Pick<Storage, 'blobs' | 'layers'>;
  readonly #log: Log;
  /** How many pieces of work use each owner now. */
  readonly #active = new Map<string, number>();

  constructor(tables: ImageTables, storage: Pick<Storage, 'blobs' | 'layers'>, log: Log) {
    this.#tables = tables;
    this.#storage = storage;
    this.#log = log;
  }

  /** @param what names the work, so that the same work finds its lease again: `pull:docker.io/library/busybox:latest`. */
  take(what: string): Lease {
    const owner = `lease:${what}`;
    this.#tables.putLease(owner, Date.now());
    this.#active.set(owner, (this.#active.get(owner) ?? 0) + 1);
    let open = true;
    const close = (): boolean => {
      if (!open) return false;
      open = false;
      const users = this.#active.get(owner)! - 1;
      if (users > 0) this.#active.set(owner, users);
      else this.#active.delete(owner);
      return users === 0;
    };
    return {
      owner,
      holdLayer: chainId => this.#storage.layers.reference(owner, chainId),
      holdBlob: digest => this.#storage.blobs.reference(owner, digest),
      release: async () => {
        if (!close()) return;
        this.#forget(owner);
        await this.#collect();
      },
      leave: () => {
        close();
      },
    };
  }

  /** As take, for work that cannot be gone on with: what a kill leaves of it goes at the next start. */
  takeOnce(what: string): Lease {
    return this.take(`${once}${what}:${randomBytes(16).toString('hex')}`);
  }

  /** Owners of all leases there are, also of work that was cut. */
  list(): string[] {
    return this.#tables.leases().map(lease => lease.owner);
  }

  /** To be called at start: drops leases nobody came back for, and what a kill left before anybody owned it. */
  async dropExpired(): Promise<void> {
    await this.#drop(Date.now() - keptMs);
    await this.#collect();
  }

  /** Drops all leases but those of work in progress. */
  async dropUnused(): Promise<void> {
    await this.#drop(Number.POSITIVE_INFINITY);
  }

  async #drop(beforeMs: number): Promise<void> {
    const unused = this.#tables
      .leases()
      .filter(({ owner }) => !this.#active.has(owner))
      .filter(({ owner, sinceMs }) => sinceMs < beforeMs || owner.startsWith(`lease:${once}`));
    if (unused.length === 0) return;
    for (const { owner } of unused) this.#forget(owner);
    this.#log.info({ leases: unused.length }, 'leftovers of unfinished pulls removed');
    await this.#collect();
  }

  #forget(owner: string): void {
    this.#tables.transaction(() => {
      this.#storage.layers.dereference(owner);
      this.#storage.blobs.dereference(owner);
      this.#tables.deleteLease(owner);
    });
  }

  async #collect(): Promise<void> {
    await this.#storage.layers.removeUnreferenced();
    await this.#storage.blobs.removeUnreferenced();
  }
}
