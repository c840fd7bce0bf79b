import { posix } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import { EngineError, messageOf, within } from '../stdx/errors.ts';
import type { KeyedMutex } from '../stdx/mutex.ts';
import { type Material, materialOf } from './attest/materials.ts';
import { resolveBase } from './base.ts';
import type { BuilderOptions } from './builder.ts';
import { type BuildCache, type CachedStep, keyOf } from './cache.ts';
import { configure, workingDirectory } from './configure.ts';
import { DockerfileError, located } from './dockerfile/errors.ts';
import type { Instruction, InstructionOf } from './dockerfile/instructions.ts';
import { parseSingleInstruction, type Stage } from './dockerfile/parse.ts';
import { refuseTrigger } from './dockerfile/parse-instruction.ts';
import type { BuildOutput, BuildStep, StepResult } from './events.ts';
import { describeReason, type Reason, type StepOrigin } from './explain/reason.ts';
import type { StepPlace, StepRecords } from './explain/step-records.ts';
import {
  type ExplainedInputs,
  type FileStep,
  type FileStepContext,
  runFileStep,
  type StepEvent,
} from './file-step.ts';
import type { GitCheckouts } from './git/checkouts.ts';
import { argsOf, type BuildGraph, type PlannedStage, resolveFrom } from './graph.ts';
import type { FailedStep } from './held-steps.ts';
import type { InFlight } from './in-flight.ts';
import type { NamedDirectories } from './named-contexts.ts';
import type { BuildRequest } from './request.ts';
import { RunFailed } from './run-failed.ts';
import type { SourceTree } from './source-tree.ts';
import {
  type BuildState,
  chainIdOfState,
  imageState,
  scratchState,
  stageState,
  stateIdOf,
  withConfig,
  withLayer,
} from './state.ts';
import { shownStep } from './step-name.ts';
import type { CacheMounts } from './steps/cache-mounts.ts';
import { type CopyOrigin, prepareCopy } from './steps/copy.ts';
import { prepareDirectory } from './steps/directory.ts';
import { NonZeroExit, prepareRun } from './steps/run.ts';
import { prepareWorkdir } from './steps/workdir.ts';
import { type PlannedSteps, planSteps } from './steps-plan.ts';
import type { MadeStep } from './transfer/export.ts';
import type { ImportedSteps } from './transfer/import.ts';
import type { Workspace } from './workspace.ts';

/** What one build works with. */
export interface SolveContext {
  builder: BuilderOptions;
  cache: BuildCache;
  inFlight: InFlight<CachedStep, StepEvent>;
  records: StepRecords;
  cacheMounts: CacheMounts;
  /** One pull of a base image at a time, by its name. */
  pulls: KeyedMutex;
  workspace: Workspace;
  git: GitCheckouts;
  /** Named contexts that are files. */
  directories: NamedDirectories;
  graph: BuildGraph;
  /** The graph is one of several, each for a platform of its own. */
  several: boolean;
  request: BuildRequest;
  output: BuildOutput;
  /** No time in the image is later than this. */
  epochMs?: number;
  /** Keeps a layer until the image owns it. */
  holdLayer(chainId: Digest): void;
  imported?: ImportedSteps;
  /** What becomes of a RUN that has failed, before its files are thrown away. */
  hold?: ((step: FailedStep, signal: AbortSignal) => Promise<void>) | undefined;
  /** Told what the build takes from elsewhere. */
  material(material: Material): void;
  /** Told every step on files, and the cache mounts it used. */
  made(step: MadeStep): void;
  usedMounts(ids: readonly string[]): void;
  /** Keeps a cache entry until the build is over. */
  useKey(key: Digest): void;
}

type Origin = { chainId: Digest | undefined } | { tree: SourceTree };

type StageInstruction = Exclude<Instruction, { kind: 'FROM' }>;

/**
 * Carries out a graph. Each stage is a chain of steps on one state; stages run at once as far as they do not need
 * each other, and each is built once however many need it. The first failure stops all.
 */
export class Solve {
  readonly #context: SolveContext;
  readonly #steps: PlannedSteps;
  readonly #stages = new Map<number, Promise<BuildState>>();
  /** Views of stages, before anybody has asked for them. */
  readonly #opening: Promise<void>[] = [];
  /** Which stages need which, by index; triggers of base images add to it. */
  readonly #needs: Map<number, Set<number>>;
  /** Where it began that a layer was made anew, by the layer. */
  readonly #renewed = new Map<Digest, StepOrigin>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #failure: unknown;

  constructor(context: SolveContext, signal: AbortSignal) {
    this.#context = context;
    this.#steps = planSteps(context.graph, context.several);
    const { stages, others } = context.graph;
    this.#needs = new Map([...stages, ...others].map(({ stage, needs }) => [stage.index, new Set(needs)]));
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** The state of the target. Nothing of the build runs any more when this settles. */
  async run(): Promise<BuildState> {
    const { output, graph } = this.#context;
    output.event({ type: 'planned', steps: this.#steps.all, alone: this.#steps.alone });
    for (const step of this.#steps.global) {
      output.event({ type: 'stepStarted', step, timeMs: Date.now() });
      output.event({ type: 'stepEnded', step });
    }
    const target = this.#stage(graph.target);
    await Promise.allSettled([target]);
    // Whatever the target did not wait for has been told to stop: see that it did.
    await Promise.allSettled(this.#stages.values());
    await Promise.all(this.#opening);
    if (this.#failure !== undefined) throw this.#failure;
    return target;
  }

  #stage(index: number): Promise<BuildState> {
    let result = this.#stages.get(index);
    if (result === undefined) {
      result = this.#buildStage(this.#context.graph.stages.find(({ stage }) => stage.index === index)!);
      this.#stages.set(index, result);
      result.catch(error => {
        this.#failure ??= error;
        this.#stop.abort();
      });
    }
    return result;
  }

  async #buildStage(planned: PlannedStage): Promise<BuildState> {
    // Under way at once; the step that needs one waits for it.
    for (const need of planned.needs) void this.#stage(need);
    for (const index of copiedStages(planned, this.#context.graph)) this.#opening.push(this.#openView(index));
    const steps = this.#steps.ofStage.get(planned.stage.index)!;
    let state = await this.#from(planned, steps[0]!);
    for (const [index, instruction] of planned.stage.instructions.entries()) {
      const step = steps[index + 1]!;
      state = await this.#step(state, instruction, step, planned);
      if (!step.trigger) this.#context.output.event({ type: 'stepEnded', step });
    }
    return state;
  }

  /**
   * As soon as the stage is built, so that those who copy from it do not wait for one view after the other. What was
   * copied from before will hardly be looked at.
   */
  async #openView(index: number): Promise<void> {
    try {
      const tree = this.#context.workspace.treeOf(chainIdOfState(await this.#stage(index)));
      if (!tree.isKnown) await tree.root();
    } catch {
      // Whoever needs it is told the same.
    }
  }

  /**
   * What an instruction takes from a stage. A trigger may want one that nothing else needs, which then is built under
   * the number of the FROM it belongs to, or one that waits for the trigger's own.
   */
  async #neededBy(planned: PlannedStage, index: number, step: BuildStep): Promise<BuildState> {
    const own = planned.stage.index;
    if (this.#reaches(index, own)) {
      const name = planned.stage.name ?? String(own);
      throw new EngineError('invalid', `circular dependency detected on stage: ${name}`);
    }
    this.#needs.get(own)!.add(index);
    this.#adopt(index, step);
    return this.#stage(index);
  }

  #reaches(from: number, wanted: number): boolean {
    return from === wanted || [...this.#needs.get(from)!].some(need => this.#reaches(need, wanted));
  }

  /** Makes a stage, and what it needs, one of those that are built. */
  #adopt(index: number, from: BuildStep): void {
    const { graph } = this.#context;
    const planned = graph.others.find(({ stage }) => stage.index === index);
    if (planned === undefined || this.#steps.ofStage.has(index)) return;
    graph.stages.push(planned);
    const { stage } = planned;
    for (const name of argsOf(stage.instructions)) graph.declaredArgs.add(name);
    this.#steps.ofStage.set(index, stepsOfTrigger(stage, from));
    for (const need of planned.needs) this.#adopt(need, from);
  }

  async #from(planned: PlannedStage, step: BuildStep): Promise<BuildState> {
    const { output } = this.#context;
    const { base } = planned;
    const state = await this.#guarded(step, async () => {
      if (base.type !== 'image') this.#tellReason(step, true, { kind: 'configuration' });
      if (base.type === 'scratch') return { state: scratchState(planned.platform), result: {} };
      if (base.type === 'stage') {
        const before = stageState(await this.#stage(base.index));
        return { state: before, result: { stateId: this.#idOf(before) } };
      }
      if (base.type === 'context') {
        const tree = await this.#context.directories.tree(base.name, this.#signal);
        const { result, createdBy } = await this.#layerOf(tree, planned);
        return { state: withLayer(scratchState(planned.platform), result, createdBy), result: {} };
      }
      const image = await this.#image(base.reference, planned, step);
      const layers =
        image.chainId === undefined ? [] : this.#context.builder.storage.layers.chain(image.chainId);
      this.#explainBase(step, image);
      return { state: imageState(image.config, layers), result: { stateId: image.id } };
    });
    const triggers = state.config.OnBuild ?? [];
    let after: BuildState = { ...state, config: { ...state.config, OnBuild: undefined } };
    if (triggers.length > 0) {
      output.event({ type: 'triggers', step, count: triggers.length });
      for (const text of triggers) after = await this.#trigger(after, text, step, planned);
    }
    if (!step.trigger) output.event({ type: 'stepEnded', step });
    return after;
  }

  /** Carries out an ONBUILD of the base image. */
  async #trigger(
    state: BuildState,
    text: string,
    from: BuildStep,
    planned: PlannedStage,
  ): Promise<BuildState> {
    const step: BuildStep = { ...from, text, trigger: true };
    const instruction = this.#inPlace(step, () => {
      const parsed = parseSingleInstruction(text, 'ONBUILD');
      refuseTrigger(parsed.kind);
      return parsed as StageInstruction;
    });
    for (const name of argsOf([instruction])) this.#context.graph.declaredArgs.add(name);
    return this.#step(state, instruction, step, planned);
  }

  async #step(
    state: BuildState,
    instruction: StageInstruction,
    step: BuildStep,
    planned: PlannedStage,
  ): Promise<BuildState> {
    const { graph, request } = this.#context;
    const { escapeToken } = graph.dockerfile;
    if (isFileInstruction(instruction)) step.shown = shownStep(state, instruction, escapeToken);
    return this.#guarded(step, async () => {
      let after: { state: BuildState; result: StepResult; hit?: boolean };
      if (isFileInstruction(instruction)) {
        after = await this.#fileStep(state, instruction, step, planned);
      } else {
        const configured = configure(state, instruction, {
          escapeToken,
          buildArgs: request.buildArgs,
          globalArgs: graph.globalArgs,
          asBuildKit: request.asBuildKit,
        });
        after = { state: configured, result: {} };
      }
      const stateId = this.#idOf(after.state);
      const known = this.#context.cache.rememberState(stateId);
      // Nothing was saved by it, but the classic builder calls a step cached when its result was there before.
      const hit = after.hit ?? (known && !this.#ignoresCache(planned));
      if (after.hit === undefined) this.#tellReason(step, hit, { kind: 'configuration' });
      return { ...after, hit, result: { ...after.result, stateId } };
    });
  }

  async #fileStep(
    state: BuildState,
    instruction: FileInstruction,
    step: BuildStep,
    planned: PlannedStage,
  ): Promise<{ state: BuildState; result: StepResult; hit?: boolean }> {
    const context = this.#context;
    const { step: fileStep, state: configured } = await this.#prepare(state, instruction, step, planned);
    if (fileStep === undefined) return { state: configured, result: {} };
    context.usedMounts(fileStep.cacheMounts ?? []);
    let runId: string | undefined;
    let renewedBy: StepOrigin | undefined;
    const result = await runFileStep(fileStep, chainIdOfState(state), instruction.text, {
      ...this.#fileStepContext(planned),
      explain: (inputs, hit, from) => {
        renewedBy = this.#explain(step, planned, inputs, hit, from);
      },
      emit: event => {
        if (event.type === 'running') runId = event.runId;
        this.#emit(step, event);
      },
    });
    if (result.layer !== undefined) {
      context.holdLayer(result.layer.chainId);
      if (renewedBy !== undefined) this.#renewed.set(result.layer.chainId, renewedBy);
    }
    const { epochMs: createdMs = result.createdMs } = context;
    const after = withLayer(configured, { ...result, createdMs }, fileStep.createdBy);
    return { state: after, result: { key: result.key, runId }, hit: result.hit };
  }

  /** @returns for a miss, the step where the files began to be others. */
  #explain(
    step: BuildStep,
    planned: PlannedStage,
    inputs: ExplainedInputs,
    hit: boolean,
    from: string | undefined,
  ): StepOrigin | undefined {
    const { records } = this.#context;
    const recorded = { ...inputs, place: this.#placeOf(step) };
    let reason: Reason;
    if (hit) reason = { kind: 'unchanged', ...(from === undefined ? {} : { from }) };
    else if (this.#ignoresCache(planned)) reason = { kind: 'noCache' };
    else reason = records.explainMiss(recorded);
    let begun: StepOrigin = { number: step.number, text: step.text };
    if (reason.kind === 'parent') {
      const origin = inputs.parent === null ? undefined : this.#renewed.get(inputs.parent as Digest);
      if (origin !== undefined) reason = { kind: 'parent', origin };
      begun = origin ?? begun;
    }
    records.remember(recorded);
    this.#tellReason(step, hit, reason);
    return hit ? undefined : begun;
  }

  /** An image that is not the one FROM led to last time is a miss, and so are the steps on it. */
  #explainBase(step: BuildStep, image: { id: Digest; chainId?: Digest }): void {
    const { records } = this.#context;
    const parts = { step: 'from', image: image.id };
    const place = this.#placeOf(step);
    const recorded = {
      // No result is kept under it: every place remembers the image it had.
      key: keyOf({ ...parts, place: JSON.stringify(place) }),
      parent: null,
      parts,
      files: () => [],
      argumentNames: [],
      place,
    };
    const before = records.partOfLast(recorded.place, 'image');
    let reason: Reason = { kind: 'unchanged' };
    if (before === undefined) reason = { kind: 'first' };
    else if (before !== image.id) reason = { kind: 'base', before, after: image.id };
    if (reason.kind === 'base' && image.chainId !== undefined)
      this.#renewed.set(image.chainId, { number: step.number, text: step.text });
    records.remember(recorded);
    this.#tellReason(step, reason.kind === 'unchanged', reason);
  }

  #tellReason(step: BuildStep, hit: boolean, reason: Reason): void {
    const sentence = describeReason(reason);
    this.#context.output.event({ type: 'stepExplained', step, hit, reason, sentence });
  }

  #placeOf({ stage, stageName, platform, index, text }: BuildStep): StepPlace {
    const { tags, dockerfile } = this.#context.request;
    const project = tags[0]?.replace(/:[^/:]*$/, '') ?? dockerfile;
    const name = stageName ?? String(stage);
    return {
      project,
      stage: platform === undefined ? name : `${platform.label} ${name}`,
      ordinal: index,
      text,
    };
  }

  /** @returns no step when there is nothing to do, as for `WORKDIR /`. */
  async #prepare(
    state: BuildState,
    instruction: FileInstruction,
    step: BuildStep,
    planned: PlannedStage,
  ): Promise<{ step?: FileStep; state: BuildState }> {
    const { builder, workspace, git, request, graph, cacheMounts } = this.#context;
    const { escapeToken } = graph.dockerfile;
    const { storage, executor } = builder;
    const resolve = (from: string) => this.#resolveFrom(from, planned, step);
    switch (instruction.kind) {
      case 'WORKDIR': {
        const path = workingDirectory(state, instruction.path, escapeToken);
        const changed = { ...state, config: { ...state.config, WorkingDir: path } };
        const createdBy = `WORKDIR ${path}`;
        if (path === '/') return { state: withConfig(state, { WorkingDir: path }, createdBy) };
        return {
          step: await prepareWorkdir(state, posix.normalize(path), createdBy, { storage, workspace }),
          state: changed,
        };
      }
      case 'RUN': {
        const context = {
          storage,
          workspace,
          executor,
          grantable: builder.entitlements,
          cacheMounts,
          hold: this.#context.hold,
          request,
          escapeToken,
          resolveFrom: async (from: string) => {
            const origin = await resolve(from);
            return 'tree' in origin ? this.#chainIdOf(origin.tree, planned) : origin.chainId;
          },
          contextLayer: async () => this.#chainIdOf(await workspace.context(), planned),
        };
        return { step: await prepareRun(state, instruction, context), state };
      }
      default: {
        const from =
          instruction.from === undefined ? undefined : this.#originOf(await resolve(instruction.from));
        const { material } = this.#context;
        const signal = this.#signal;
        const asBuildKit = request.asBuildKit === true;
        const { proxyFor } = builder;
        const context = {
          storage,
          workspace,
          git,
          escapeToken,
          from,
          asBuildKit,
          proxyFor,
          material,
          signal,
        };
        return { step: await prepareCopy(state, instruction, context), state };
      }
    }
  }

  /** The files that COPY takes from; those of a context are nobody's. */
  #originOf(origin: Origin): CopyOrigin {
    if ('tree' in origin) return { tree: origin.tree, keepsOwners: false };
    return { tree: this.#context.workspace.treeOf(origin.chainId), keepsOwners: true };
  }

  /** A context as a layer, from the cache or new. */
  async #layerOf(tree: SourceTree, planned: PlannedStage) {
    const context = this.#context;
    const step = await prepareDirectory(tree, context.builder.storage);
    const result = await runFileStep(step, undefined, step.createdBy, {
      ...this.#fileStepContext(planned),
      explain: () => {},
      emit: () => {},
    });
    if (result.layer !== undefined) context.holdLayer(result.layer.chainId);
    return { result, createdBy: step.createdBy };
  }

  /** What all steps of a stage that change files work with. */
  #fileStepContext(planned: PlannedStage): Omit<FileStepContext, 'explain' | 'emit'> {
    const context = this.#context;
    return {
      storage: context.builder.storage,
      cache: context.cache,
      inFlight: context.inFlight,
      noCache: this.#ignoresCache(planned),
      epochMs: context.epochMs,
      signal: this.#signal,
      imported: context.imported,
      settlesBefore: work => context.workspace.settlesBefore(work),
      made: made => context.made({ ...made, stage: planned.stage.index }),
      use: key => context.useKey(key),
    };
  }

  async #chainIdOf(tree: SourceTree, planned: PlannedStage): Promise<Digest | undefined> {
    return (await this.#layerOf(tree, planned)).result.layer?.chainId;
  }

  /** What --from names: layers of a stage or an image, or the files of a context. */
  async #resolveFrom(from: string, planned: PlannedStage, step: BuildStep): Promise<Origin> {
    const target = resolveFrom(this.#context.graph, from);
    if (target.type === 'context')
      return { tree: await this.#context.directories.tree(target.name, this.#signal) };
    if (target.type === 'image') {
      try {
        return { chainId: (await this.#image(target.reference, planned, step)).chainId };
      } catch (error) {
        throw within(`invalid from flag value ${from}`, error);
      }
    }
    return { chainId: chainIdOfState(await this.#neededBy(planned, target.index, step)) };
  }

  async #image(reference: string, planned: PlannedStage, step: BuildStep) {
    const image = await resolveBase(reference, this.#context.builder, {
      platform: planned.platform,
      platformWanted: planned.platformWanted,
      ownPlatform: this.#context.builder.platform,
      pulls: this.#context.pulls,
      holdLayer: chainId => this.#context.holdLayer(chainId),
      request: this.#context.request,
      signal: this.#signal,
      progress: progress => this.#context.output.event({ type: 'progress', step, progress }),
    });
    const material = materialOf(reference, image);
    if (material !== undefined) this.#context.material(material);
    return image;
  }

  /** Announces a step, its end or its failure, with the place in the Dockerfile. */
  async #guarded(
    step: BuildStep,
    work: () => Promise<{ state: BuildState; result: StepResult; hit?: boolean }>,
  ): Promise<BuildState> {
    const { output } = this.#context;
    if (this.#signal.aborted) throw new EngineError('cancelled', 'build cancelled');
    output.event({ type: 'stepStarted', step, timeMs: Date.now() });
    try {
      const { state, result, hit } = await work();
      this.#signal.throwIfAborted();
      output.event({ type: hit === true ? 'stepCached' : 'stepFinished', step, result, timeMs: Date.now() });
      return state;
    } catch (cause) {
      const error = this.#placed(cause, step);
      output.event({ type: 'stepFailed', step, error, timeMs: Date.now() });
      throw error;
    }
  }

  #placed(cause: unknown, step: BuildStep): Error {
    const { source } = this.#context.graph.dockerfile;
    if (cause instanceof DockerfileError) return cause;
    if (this.#signal.aborted) return new EngineError('cancelled', 'build cancelled', { cause });
    if (cause instanceof NonZeroExit) return new RunFailed(cause.args, cause.exitCode, source, step.lines);
    if (cause instanceof EngineError)
      return new DockerfileError(cause.kind, cause.message, source, step.lines, cause);
    return located(cause, source, step.lines, 'internal');
  }

  #inPlace<T>(step: BuildStep, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const bare = cause instanceof DockerfileError ? cause.bare : messageOf(cause);
      const message = `ONBUILD trigger \`${step.text}\` of the base image: ${bare}`;
      throw new DockerfileError('invalid', message, this.#context.graph.dockerfile.source, step.lines, cause);
    }
  }

  #ignoresCache({ stage }: PlannedStage): boolean {
    const { noCache, noCacheStages } = this.#context.request;
    return noCache || noCacheStages.some(name => isStage(stage, name));
  }

  #emit(step: BuildStep, event: StepEvent): void {
    const { output } = this.#context;
    if (event.type === 'running') output.event({ type: 'stepRunning', step, runId: event.runId });
    else if (event.type === 'log')
      output.event({ type: 'log', step, stream: event.stream, chunk: event.chunk });
    else output.event({ type: 'progress', step, progress: event.progress });
  }

  #idOf(state: BuildState): Digest {
    return stateIdOf(state, this.#context.epochMs);
  }
}

/** Those that COPY takes from, of the ones that are planned. */
function copiedStages({ stage, needs }: PlannedStage, graph: BuildGraph): Set<number> {
  const copied = stage.instructions.flatMap(instruction => {
    if (instruction.kind !== 'COPY' || instruction.from === undefined) return [];
    const target = resolveFrom(graph, instruction.from);
    return target.type === 'stage' && needs.includes(target.index) ? target.index : [];
  });
  return new Set(copied);
}

/** Steps that were not planned, under the number of the one that led to them. */
function stepsOfTrigger(stage: Stage, { number, total, platform }: BuildStep): BuildStep[] {
  const { name } = stage;
  return [stage.from, ...stage.instructions].map(({ text, lines }, index) => ({
    number,
    total,
    stage: stage.index,
    ...(name === undefined ? {} : { stageName: name }),
    ...(platform === undefined ? {} : { platform }),
    index,
    text,
    lines,
    trigger: true,
  }));
}

function isStage({ index, name }: Stage, wanted: string): boolean {
  return String(index) === wanted || (name !== undefined && name === wanted.toLowerCase());
}

type FileInstruction = InstructionOf<'RUN' | 'COPY' | 'ADD' | 'WORKDIR'>;

function isFileInstruction(instruction: StageInstruction): instruction is FileInstruction {
  return ['RUN', 'COPY', 'ADD', 'WORKDIR'].includes(instruction.kind);
}
