import type { Lease } from '../../images/leases.ts';
import type { Digest } from '../../oci/digest.ts';
import { EngineError, messageOf, within } from '../../stdx/errors.ts';
import type { KeyedMutex } from '../../stdx/mutex.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Storage } from '../../storage/storage.ts';
import type { BuildCache } from '../cache.ts';
import { type BuildOutput, runTask } from '../events.ts';
import type { BuildGraph, StageBase } from '../graph.ts';
import type { BuildRequest, CacheEndpoint } from '../request.ts';
import type { CacheMounts } from '../steps/cache-mounts.ts';
import { type ExportedStep, inlineMember } from './cache-config.ts';
import { exportCache, inlineSteps, type MadeStep } from './export.ts';
import { type ImportContext, ImportedSteps } from './import.ts';
import { layoutPlace } from './layout-place.ts';
import type { CachePlace } from './place.ts';

export type OpenRegistryCache = (
  reference: string,
  access: 'pull' | 'push',
  build: Pick<BuildRequest, 'credentials' | 'askCredentials'>,
) => Promise<CachePlace>;

export interface TransferContext {
  storage: Storage;
  images: ImportContext['images'];
  cache: BuildCache;
  cacheMounts: CacheMounts;
  packing: KeyedMutex;
  openRegistryCache: OpenRegistryCache;
  request: BuildRequest;
  output: BuildOutput;
  lease: Lease;
  signal: AbortSignal;
}

/** By this build argument BuildKit's users ask for an inline cache. */
export const inlineArg = 'BUILDKIT_INLINE_CACHE';

/** What goes in and out of the cache of one build, besides what is here. */
export class CacheTransfers {
  readonly #context: TransferContext;
  readonly #made = new Map<Digest, MadeStep>();
  readonly #mounts = new Set<string>();

  constructor(context: TransferContext) {
    this.#context = context;
  }

  /** Notes a step on files that the build relies on. */
  made(step: MadeStep): void {
    this.#made.set(step.key, step);
  }

  usedMounts(ids: readonly string[]): void {
    for (const id of ids) this.#mounts.add(id);
  }

  async import(): Promise<ImportedSteps | undefined> {
    const { request, output } = this.#context;
    const sources = request.cacheFrom.filter(endpoint => endpoint.type !== 'inline');
    if (sources.length === 0) return undefined;
    return ImportedSteps.open(sources, {
      ...this.#context,
      open: endpoint => this.#open(endpoint, 'pull'),
      warn: text => output.event({ type: 'warning', text }),
      task: (name, work) => runTask(output, name, work),
    });
  }

  /** What the image's configuration gets for an inline cache. */
  inline(graph: BuildGraph, layers: readonly Layer[]): { [inlineMember]?: ExportedStep[] } {
    const { cacheTo, buildArgs } = this.#context.request;
    const asked = buildArgs[inlineArg];
    if (!cacheTo.some(({ type }) => type === 'inline') && asked !== '1' && asked !== 'true') return {};
    return { [inlineMember]: inlineSteps(this.#stepsOf(graph), layers) };
  }

  /** A cache that cannot be written fails the build, unless it may (`ignore-error=true`). The image is there already. */
  async export(graphs: readonly BuildGraph[]): Promise<void> {
    const { request, output } = this.#context;
    for (const endpoint of request.cacheTo) {
      if (endpoint.type === 'inline') continue;
      const { mode, mounts } = endpoint.attributes;
      const steps = mode === 'max' ? [...this.#made.values()] : this.#stepsOf(...graphs);
      const kind = endpoint.type === 'local' ? 'client directory' : endpoint.type;
      try {
        await runTask(output, `exporting cache to ${kind}`, async task => {
          const place = await this.#open(endpoint, 'push');
          const { storage, packing, cacheMounts, lease, signal } = this.#context;
          const context = { services: { storage, packing }, cacheMounts, lease, task, signal };
          await exportCache(place, steps, mounts === 'true' ? [...this.#mounts] : [], context);
        });
      } catch (error) {
        const failure = within('exporting the build cache', error);
        if (endpoint.attributes['ignore-error'] !== 'true') throw failure;
        output.event({ type: 'warning', text: messageOf(failure) });
      }
    }
  }

  /** Of the target, and of the stages it is FROM: those that its own layers come from. */
  #stepsOf(...graphs: BuildGraph[]): MadeStep[] {
    const stages = new Set<number>();
    for (const graph of graphs) {
      for (let index: number | undefined = graph.target; index !== undefined; ) {
        stages.add(index);
        const base: StageBase | undefined = graph.stages.find(({ stage }) => stage.index === index)?.base;
        index = base?.type === 'stage' ? base.index : undefined;
      }
    }
    return [...this.#made.values()].filter(step => stages.has(step.stage));
  }

  async #open({ type, attributes, place }: CacheEndpoint, access: 'pull' | 'push'): Promise<CachePlace> {
    if (place !== undefined) return place;
    const name = type === 'registry' ? 'ref' : access === 'pull' ? 'src' : 'dest';
    const value = attributes[name];
    if (value === undefined || value === '')
      throw new EngineError('invalid', `${type} cache requires ${name} attribute`);
    if (type === 'local') return layoutPlace(value, attributes['tag']);
    return this.#context.openRegistryCache(value, access, this.#context.request);
  }
}
