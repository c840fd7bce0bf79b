import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { Layer } from '../storage/layers.ts';
import type { Storage } from '../storage/storage.ts';
import type { LayerTimes } from '../storage/worker/settle-times.ts';
import { type BuildCache, type CachedStep, cacheOwner, type KeyParts, keyOf } from './cache.ts';
import type { BuildProgress } from './events.ts';
import type { InputFile } from './explain/reason.ts';
import type { RecordedStep } from './explain/step-records.ts';
import type { InFlight } from './in-flight.ts';
import { type LinkedFiles, linkLayer } from './linked-layer.ts';
import type { MadeStep } from './transfer/export.ts';
import type { ImportedSteps } from './transfer/import.ts';
import { newSnapshotId } from './workspace.ts';

/** A step that changes files, prepared: it is known what it depends on, and nothing is done yet. */
export interface FileStep {
  /** All that the result depends on besides the files below. */
  parts: KeyParts;
  /** The line in the image's history. */
  createdBy: string;
  /** Mount points of containers are kept out of the layer. */
  mountPoints: boolean;
  /** Its files come from the build context, whose times are chance. */
  timesOfContext?: boolean;
  /** The layer does not depend on what is below it (COPY --link). */
  linked?: LinkedFiles;
  /** What `parts` has of files in one digest, file by file, to explain a miss. */
  files?: () => readonly InputFile[];
  /** Ids of the cache mounts it uses. */
  cacheMounts?: readonly string[];
  /** Variables in `parts.env` that came by ARG. */
  argumentNames?: readonly string[];
  /** Makes the layer without a snapshot. @returns undefined when that is not possible; nothing has been done then. */
  makeLayer?(options: {
    parent: Digest | undefined;
    owner: string;
    times: LayerTimes | undefined;
    signal: AbortSignal;
  }): Promise<Layer | undefined>;
  /** Changes the files of a mounted snapshot. */
  apply(rootfs: string, emit: (event: StepEvent) => void, signal: AbortSignal): Promise<void>;
}

export type StepEvent =
  | { type: 'running'; runId: string }
  | { type: 'log'; stream: 'stdout' | 'stderr'; chunk: Buffer }
  | { type: 'progress'; progress: BuildProgress };

export interface FileStepContext {
  storage: Storage;
  cache: BuildCache;
  inFlight: InFlight<CachedStep, StepEvent>;
  noCache: boolean;
  /** SOURCE_DATE_EPOCH: layers do not tell when they were made. It is in all keys then. */
  epochMs?: number | undefined;
  signal: AbortSignal;
  emit(event: StepEvent): void;
  /** Results that others have made. */
  imported?: ImportedSteps;
  /** Told what goes on by itself, and ends before the build does. */
  settlesBefore(work: Promise<void>): void;
  /** Told every step relied upon. */
  made(step: Omit<MadeStep, 'stage'>): void;
  /** Told every key relied upon, as soon as it is known. */
  use(key: Digest): void;
  /** Told once what the step is made of and whether its result was there. */
  explain(inputs: ExplainedInputs, hit: boolean, from?: string): void;
}

export type ExplainedInputs = Omit<RecordedStep, 'place'>;

export interface FileStepResult extends CachedStep {
  hit: boolean;
}

const removalDelayMs = 5;

/** Two blocks of zeros: the tar of a layer in which nothing changed. */
const emptyDiffId = digestOf(Buffer.alloc(1024));

/** Takes a step's result from the cache, or from another build that makes it now, or makes it. */
export async function runFileStep(
  step: FileStep,
  parent: Digest | undefined,
  description: string,
  context: FileStepContext,
): Promise<FileStepResult> {
  const { files = () => [], argumentNames = [] } = step;
  const { epochMs } = context;
  const parts = epochMs === undefined ? step.parts : { ...step.parts, epoch: String(epochMs) };
  const explained: Explained = {
    ...context,
    explainsBeside: step.makeLayer !== undefined,
    explain: (inputs, hit, from) => context.explain({ ...inputs, files, argumentNames }, hit, from),
  };
  const { linked } = step;
  if (linked === undefined) return resultOf(parts, parent, description, explained, makeLayer);
  const alone = await resultOf(parts, undefined, description, explained, makeLayer);
  if (alone.layer === undefined || parent === undefined) return alone;
  const { layer } = alone;
  const { destination, fileName = null } = linked;
  const link = { step: 'link', diffId: layer.diffId, destination, fileName };
  const moved = await resultOf(
    link,
    parent,
    description,
    { ...context, explainsBeside: false, explain: () => {} },
    owner => linkLayer(layer, linked, { parent, owner }, context),
  );
  return { ...moved, hit: alone.hit };

  async function makeLayer(
    owner: string,
    below: Digest | undefined,
    emit: (event: StepEvent) => void,
    signal: AbortSignal,
  ): Promise<Layer> {
    const { snapshots } = context.storage;
    const change = step.timesOfContext === true ? ('all' as const) : ('latest' as const);
    const times = epochMs === undefined ? undefined : { epochMs, change };
    const made = await step.makeLayer?.({ parent: below, owner, times, signal });
    if (made !== undefined) return made;
    const id = newSnapshotId();
    // To hash the layer.
    context.storage.workers.anticipate(1);
    await snapshots.create(id, below, { mountPoints: step.mountPoints });
    try {
      await step.apply(snapshots.mount(id, { unsynced: true }), emit, signal);
      signal.throwIfAborted();
      snapshots.unmount(id);
      const layer = await snapshots.commit(id, { owner, times });
      // While the next step's process is started.
      context.settlesBefore(sleep(removalDelayMs).then(() => snapshots.remove(id)));
      return layer;
    } catch (error) {
      await snapshots.remove(id);
      throw error;
    }
  }
}

type Explained = Omit<FileStepContext, 'explain'> & {
  /** It has many files to write down, and a worker to be busy meanwhile. */
  explainsBeside: boolean;
  explain(inputs: Pick<RecordedStep, 'key' | 'parent' | 'parts'>, hit: boolean, from?: string): void;
};

type Make = (
  owner: string,
  parent: Digest | undefined,
  emit: (event: StepEvent) => void,
  signal: AbortSignal,
) => Promise<Layer>;

async function resultOf(
  parts: KeyParts,
  parent: Digest | undefined,
  description: string,
  context: Explained,
  make: Make,
): Promise<FileStepResult> {
  const { cache } = context;
  const key = keyOf({ ...parts, parent: parent ?? null });
  context.use(key);
  const found = context.noCache ? undefined : await findResult(key, parent, context);
  const explain = () =>
    context.explain({ key, parent: parent ?? null, parts }, found !== undefined, found?.from);
  if (found !== undefined) {
    explain();
    context.made({ ...found.cached, description });
    return { ...found.cached, hit: true };
  }
  if (!context.explainsBeside) explain();
  const making = context.inFlight.run(key, context.emit, context.signal, async (emit, signal) => {
    cache.begin(key, { parent, description });
    try {
      const layer = await make(cacheOwner(key), parent, emit, signal);
      return cache.finish(key, layer.diffId === emptyDiffId ? undefined : layer);
    } catch (error) {
      cache.abandon(key);
      throw error;
    }
  });
  if (context.explainsBeside) {
    making.catch(() => {});
    await setImmediate();
    explain();
  }
  const made = await making;
  context.made({ ...made, description });
  return { ...made, hit: false };
}

/** Ours, or one that is imported; builds that want the same wait for one to fetch it. */
async function findResult(
  key: Digest,
  parent: Digest | undefined,
  { cache, imported, inFlight, signal }: Explained,
): Promise<{ cached: CachedStep; from?: string } | undefined> {
  const cached = cache.find(key);
  if (cached !== undefined || imported?.offers(key) !== true) return cached && { cached };
  const running = inFlight.run(
    key,
    () => {},
    signal,
    async (_emit, abort) => {
      const taken = await imported.take(key, parent, abort);
      if (taken === undefined) throw new NotImported();
      return taken;
    },
  );
  try {
    return { cached: await running, from: imported.nameOf(key) };
  } catch (error) {
    if (error instanceof NotImported) return undefined;
    throw error;
  }
}

/** Nobody has it after all; it must be made. */
class NotImported extends Error {}
