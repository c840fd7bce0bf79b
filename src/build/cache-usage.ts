import { statfsSync } from 'node:fs';
import type { ImageStore } from '../images/store.ts';
import type { Digest } from '../oci/digest.ts';
import { messageOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import type { Storage } from '../storage/storage.ts';
import type { BuildCache, CacheRecord } from './cache.ts';
import { defaultGcRules, fitsRule, type GcRule, type PruneOptions, planPrune } from './prune-plan.ts';
import type { CacheMounts } from './steps/cache-mounts.ts';

/** Collection is looked at again after a build, but not more often than this. */
const betweenCollectionsMs = 60_000;

/** daemon.json, `builder.gc`; undefined members: the defaults, which go by the size of the disk. */
export interface GcSettings {
  enabled: boolean;
  rules?: readonly GcRule[];
  reservedBytes?: number;
  maxUsedBytes?: number;
  minFreeBytes?: number;
}

export interface Pruned {
  deleted: string[];
  reclaimedBytes: number;
}

/** What the builder keeps on disk, steps and cache mounts alike: listed, pruned and collected. */
export class CacheUsage {
  readonly #cache: BuildCache;
  readonly #mounts: CacheMounts;
  readonly #images: ImageStore;
  readonly #storage: Storage;
  readonly #log: Log;
  readonly #gc: GcSettings;
  #collectedMs = 0;

  constructor(options: {
    cache: BuildCache;
    mounts: CacheMounts;
    images: ImageStore;
    storage: Storage;
    log: Log;
    gc: GcSettings;
  }) {
    this.#cache = options.cache;
    this.#mounts = options.mounts;
    this.#images = options.images;
    this.#storage = options.storage;
    this.#log = options.log;
    this.#gc = options.gc;
  }

  /** Last used first. Cache mounts are measured, which takes as long as `du` does. */
  async list(): Promise<CacheRecord[]> {
    const mounts = (await this.#mounts.list()).map(
      (mount): CacheRecord => ({
        key: mount.name,
        parent: null,
        chainId: null,
        type: 'exec.cachemount',
        description: `cache mount with id "${mount.id}"`,
        sizeBytes: mount.sizeBytes,
        createdMs: mount.createdMs,
        lastUsedMs: mount.lastUsedMs,
        usageCount: mount.usageCount,
        inUse: mount.inUse,
        shared: false,
      }),
    );
    const steps = this.#cache.list(this.#layersOfImages());
    return [...steps, ...mounts].sort((a, b) => b.lastUsedMs - a.lastUsedMs);
  }

  async prune(options: PruneOptions): Promise<Pruned> {
    const planned = planPrune(await this.list(), options, this.#disk().freeBytes);
    const steps = await this.#cache.remove(planned.filter(record => record.type === 'regular'));
    const deleted = steps.deleted.map(record => record.key);
    let { reclaimedBytes } = steps;
    for (const { key, type, sizeBytes } of planned) {
      if (type === 'regular' || !(await this.#mounts.remove(key))) continue;
      deleted.push(key);
      reclaimedBytes += sizeBytes;
    }
    return { deleted, reclaimedBytes };
  }

  /** Applies the rules one after the other, when it is time to. What fails is logged. */
  async collect(): Promise<void> {
    if (!this.#gc.enabled || Date.now() - this.#collectedMs < betweenCollectionsMs) return;
    this.#collectedMs = Date.now();
    try {
      for (const rule of this.#rules()) {
        const matches = (record: CacheRecord) => fitsRule(record, rule, Date.now());
        const { deleted, reclaimedBytes } = await this.prune({ ...rule, matches });
        if (deleted.length > 0)
          this.#log.info({ entries: deleted.length, reclaimedBytes }, 'build cache collected');
      }
    } catch (error) {
      this.#log.warn({ err: error }, `collecting the build cache failed: ${messageOf(error)}`);
    }
  }

  /** Without limits of its own: a tenth of the disk is the cache's, three quarters the most, a fifth stays free. */
  #rules(): readonly GcRule[] {
    const { rules, reservedBytes, maxUsedBytes, minFreeBytes } = this.#gc;
    if (rules !== undefined) return rules;
    const { totalBytes } = this.#disk();
    const given = reservedBytes !== undefined || maxUsedBytes !== undefined || minFreeBytes !== undefined;
    return defaultGcRules(
      given
        ? { reservedBytes, maxUsedBytes, minFreeBytes }
        : {
            reservedBytes: Math.floor(totalBytes * 0.1),
            maxUsedBytes: Math.floor(totalBytes * 0.75),
            minFreeBytes: Math.floor(totalBytes * 0.2),
          },
    );
  }

  #disk(): { totalBytes: number; freeBytes: number } {
    const { bsize, blocks, bavail } = statfsSync(this.#storage.paths.dataRoot);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }

  #layersOfImages(): ReadonlySet<Digest> {
    const found = new Set<Digest>();
    for (const { chainId } of this.#images.list()) {
      if (chainId === undefined || found.has(chainId)) continue;
      for (const layer of this.#storage.layers.chain(chainId)) found.add(layer.chainId);
    }
    return found;
  }
}
