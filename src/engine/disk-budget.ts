import { statfsSync, statSync } from 'node:fs';
import type { CacheRecord } from '../build/cache.ts';
import type { PruneOptions } from '../build/prune-plan.ts';
import type { CollectionPolicy } from '../images/plan-collection.ts';
import { listSegments } from '../runtime/logs/log-segments.ts';
import { containerFiles } from './containers/directory.ts';
import type { EngineContext } from './context.ts';
import type { EngineEvent } from './events.ts';
import { type DiskState, planDiskBudget } from './plan-disk-budget.ts';

/** After something came: several things that come at once are looked at once. */
const settleMs = 1_000;
/** Containers and volumes take room without telling. Only the free space is asked for. */
const checkFreeEveryMs = 10_000;

export interface Collectors {
  cache(): Promise<CacheRecord[]>;
  pruneCache(options: PruneOptions): Promise<unknown>;
  /** What images that no container uses take. */
  unusedImageBytes(): number;
  collectImages(policy: CollectionPolicy): Promise<unknown>;
}

/** Keeps what nobody needs right now within one budget, when the administrator has set one (`disk-budget`). */
export class DiskBudgetKeeper {
  readonly #context: EngineContext;
  readonly #collectors: Collectors;
  readonly #unsubscribe: () => void;
  readonly #interval: NodeJS.Timeout;
  #soon: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(context: EngineContext, collectors: Collectors) {
    this.#context = context;
    this.#collectors = collectors;
    this.#unsubscribe = context.events.watch(event => this.#onEvent(event));
    this.#interval = setInterval(() => this.#checkFree(), checkFreeEveryMs).unref();
    this.#lookSoon();
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    clearInterval(this.#interval);
    clearTimeout(this.#soon);
    await this.#running;
  }

  #onEvent({ type, action }: EngineEvent): void {
    const adds = type === 'image' && ['pull', 'load', 'import', 'tag'].includes(action);
    const frees = type === 'container' && ['die', 'destroy'].includes(action);
    if (adds || frees || (type === 'daemon' && action === 'reload')) this.#lookSoon();
  }

  #checkFree(): void {
    const { keepFreeBytes = 0 } = this.#context.settings.diskBudget ?? {};
    if (keepFreeBytes > 0 && this.#freeBytes() < keepFreeBytes) this.#lookSoon();
  }

  #lookSoon(): void {
    if (this.#context.settings.diskBudget === undefined) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#running = this.#running.then(() => this.#look());
    }, settleMs).unref();
  }

  async #look(): Promise<void> {
    const budget = this.#context.settings.diskBudget;
    if (budget === undefined) return;
    try {
      const records = await this.#collectors.cache();
      const state = this.#stateWith(records);
      const plan = planDiskBudget(state, budget);
      if (plan.cacheBytes === 0 && plan.imageBytes === 0) return;
      this.#context.log.info({ ...state, plan }, 'over the disk budget');
      const total = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      // Records without a size go with the others: 1 stands for nothing, as 0 is no limit.
      if (plan.cacheBytes > 0)
        await this.#collectors.pruneCache({ all: false, maxUsedBytes: Math.max(1, total - plan.cacheBytes) });
      if (plan.imageBytes === 0) return;
      const keepBytes = this.#collectors.unusedImageBytes() - plan.imageBytes;
      await this.#collectors.collectImages({ keepBytes, unusedForMs: budget.unusedForMs });
    } catch (error) {
      this.#context.log.error({ err: error }, 'keeping to the disk budget failed');
    }
  }

  #stateWith(records: readonly CacheRecord[]): DiskState {
    const cacheBytes = records
      .filter(({ inUse, shared }) => !inUse && !shared)
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const imageBytes = this.#collectors.unusedImageBytes();
    return { freeBytes: this.#freeBytes(), cacheBytes, imageBytes, logBytes: this.#logBytes() };
  }

  #freeBytes(): number {
    const { bsize, bavail } = statfsSync(this.#context.storage.paths.dataRoot);
    return bsize * bavail;
  }

  #logBytes(): number {
    let bytes = 0;
    for (const { id } of this.#context.containers.list()) {
      const { log } = containerFiles(this.#context, id);
      for (const { plain, compressed } of [
        ...listSegments(log).rotated,
        { plain: log, compressed: undefined },
      ])
        for (const path of [plain, compressed])
          bytes += (path && statSync(path, { throwIfNoEntry: false })?.size) || 0;
    }
    return bytes;
  }
}
