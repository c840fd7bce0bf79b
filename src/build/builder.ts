import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join, posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImageStore } from '../images/store.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor, Platform } from '../oci/image.ts';
import { EngineError, kindOf, within } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { Storage } from '../storage/storage.ts';
import { attestationsOf, attestsAlways } from './attest/attest.ts';
import type { Material } from './attest/materials.ts';
import { withoutPassword } from './attest/provenance.ts';
import { BuildCache, type CachedStep } from './cache.ts';
import { CacheUsage, type GcSettings, type Pruned } from './cache-usage.ts';
import { type CheckContext, checkDockerfile, imageConfig, lintPlanned } from './check.ts';
import type { DockerfileSource } from './dockerfile/errors.ts';
import { type Dockerfile, parseDockerfile } from './dockerfile/parse.ts';
import { pruneContext, readIgnoreFile } from './dockerignore.ts';
import type { BuildOutput, BuildProgress } from './events.ts';
import type { Executor } from './executor.ts';
import { StepRecords } from './explain/step-records.ts';
import type { ExportAnswer } from './export/answer.ts';
import {
  type BuildExport,
  type ExportContext,
  exportResult,
  idOfImage,
  type PlannedExport,
  planExports,
} from './export/export.ts';
import { type BuildResult, mainImage } from './export/result.ts';
import { fetchUrl } from './fetch-url.ts';
import type { StepEvent } from './file-step.ts';
import { GitCheckouts } from './git/checkouts.ts';
import { type BuildGraph, planGraph, usesContext } from './graph.ts';
import { type FailedStep, HeldSteps } from './held-steps.ts';
import { InFlight } from './in-flight.ts';
import { lintFailure } from './lint/lint.ts';
import type { LintReport } from './lint/report.ts';
import { NamedDirectories } from './named-contexts.ts';
import { type Outline, outlineOf, outlineText } from './outline/outline.ts';
import { listTargets, type TargetList, targetsText } from './outline/targets.ts';
import { formatPlatform, parsePlatforms } from './platform.ts';
import type { PruneOptions } from './prune-plan.ts';
import type { BuildRequest } from './request.ts';
import { Solve } from './solve.ts';
import { KnownTrees, TreeMemory } from './source-tree.ts';
import { imageConfigOf } from './state.ts';
import { CacheMounts } from './steps/cache-mounts.ts';
import { predefinedArgs } from './steps/run.ts';
import type { MadeStep } from './transfer/export.ts';
import { CacheTransfers, inlineArg, type OpenRegistryCache } from './transfer/transfers.ts';
import { Workspace } from './workspace.ts';

export interface BuilderOptions {
  images: ImageStore;
  storage: Storage;
  executor: Executor;
  /** Fetches a base image into the store. */
  pullImage: PullImage;
  /** Sends a tag of the store to its registry. */
  pushImage: (
    reference: string,
    credentials: Pick<BuildRequest, 'credentials' | 'askCredentials'>,
    signal: AbortSignal,
  ) => Promise<Descriptor>;
  /** The builder's own place on the data-root, `<data-root>/build`: cache mounts and temporary files. */
  directory: string;
  /** The machine's own platform, `{os: 'linux', architecture: 'amd64'}`. */
  platform: Platform;
  /** Path of git; undefined: the machine has none. */
  git?: string;
  /** URL of the proxy that leads to a URL; undefined: it is reached without. */
  proxyFor: (url: URL) => string | undefined;
  /** The same for programs: `http_proxy` and what else they look for. */
  proxyEnv: Readonly<Record<string, string>>;
  log: Log;
  /** One compression per layer at a time, by chain id: pushes pack layers, too. */
  packing: KeyedMutex;
  /** A repository that is to be read, or written, as a build cache. */
  openRegistryCache: OpenRegistryCache;
  /** What builds may be granted when they ask for it: `network.host`, `security.insecure`. */
  entitlements: readonly string[];
  /** When what the cache has too much of is removed. */
  gc: GcSettings;
  /** After an image was given one of the names asked for. */
  onTag: (imageId: Digest, reference: string) => void;
}

const collectionDelayMs = 200;

/** What a build has led to. */
export interface Built {
  /** Also of a result that is in no store. */
  imageId: Digest;
  /** Of all exports together. */
  answer: ExportAnswer;
}

export type PullImage = (
  reference: string,
  options: Pick<BuildRequest, 'credentials' | 'askCredentials'> & { platform: Platform },
  progress: (progress: BuildProgress) => void,
  signal: AbortSignal,
) => Promise<void>;

/** Builds images from Dockerfiles. One for the whole engine: concurrent builds share running steps and the cache. */
export class Builder {
  readonly cache: BuildCache;
  readonly #options: BuilderOptions;
  readonly #inFlight = new InFlight<CachedStep, StepEvent>();
  readonly #records: StepRecords;
  readonly #pulls = new KeyedMutex();
  readonly heldSteps = new HeldSteps();
  /** What all of it takes on disk. */
  readonly usage: CacheUsage;
  readonly #cacheMounts: CacheMounts;
  readonly #temporary: string;
  readonly #known = new KnownTrees();
  readonly #running = new Set<Promise<unknown>>();

  /**
   * Leftovers of builds cut off by a kill: open() removes the temporary files, the cache its half-done rows, and the
   * engine the snapshots named `build-...`, which are never among the known ones of snapshots.reconcile().
   */
  static async open(options: BuilderOptions): Promise<Builder> {
    const { database, workers } = options.storage;
    const mounts = await CacheMounts.open(join(options.directory, 'mounts'), database, workers);
    const builder = new Builder(options, mounts);
    await rm(builder.#temporary, { recursive: true, force: true });
    return builder;
  }

  private constructor(options: BuilderOptions, mounts: CacheMounts) {
    this.#options = options;
    this.cache = new BuildCache(options.storage, options.log);
    this.#records = new StepRecords(options.storage.database);
    this.#cacheMounts = mounts;
    const { images, storage, log, gc } = options;
    this.usage = new CacheUsage({ cache: this.cache, mounts, images, storage, log, gc });
    this.#temporary = join(options.directory, 'tmp');
  }

  /**
   * @throws EngineError `invalid` for faults of the Dockerfile or the request, notFound, notImplemented; RunFailed
   * when a RUN ended with another code than 0; `cancelled` when the signal aborts.
   */
  async build(request: BuildRequest, output: BuildOutput, signal: AbortSignal): Promise<Built> {
    try {
      return await this.#settling(this.#build(request, output, signal));
    } finally {
      void this.#settling(this.#collect());
    }
  }

  /** When the caller has had the answer. */
  async #collect(): Promise<void> {
    await sleep(collectionDelayMs);
    await this.usage.collect();
  }

  async #settling<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  /** For a context that is kept for builds to come. */
  newMemory(): TreeMemory {
    return new TreeMemory();
  }

  /** What `build --check` says of a Dockerfile; a faulty one is part of the answer. */
  async check(
    asked: BuildRequest,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<{ report: LintReport; text: string }> {
    return this.#reading(asked, signal, async (request, workspace) => {
      const source = await sourceOf(request, workspace);
      return checkDockerfile(source, request, await this.#checkContext(request, source.file, workspace));
    });
  }

  /** What can be given to a build of the target, and the same as text. Nothing is built or fetched. */
  async outline(
    asked: BuildRequest,
    output: BuildOutput,
    signal: AbortSignal,
  ): Promise<{ outline: Outline; text: string }> {
    return this.#reading(asked, signal, async (request, workspace) => {
      const [graph] = await this.#plan(request, workspace, output);
      const { images } = this.#options;
      const outline = outlineOf(graph!, {
        buildArgs: request.buildArgs,
        baseConfig: reference => imageConfig(images, reference),
      });
      return { outline, text: outlineText(outline) };
    });
  }

  /** The stages that can be built, and the same as text. */
  async targets(asked: BuildRequest, signal: AbortSignal): Promise<{ list: TargetList; text: string }> {
    return this.#reading(asked, signal, async (request, workspace) => {
      const list = listTargets(parseDockerfile(await sourceOf(request, workspace)));
      return { list, text: targetsText(list) };
    });
  }

  /** Work with a build's files that builds nothing. */
  async #reading<T>(
    asked: BuildRequest,
    signal: AbortSignal,
    work: (request: BuildRequest, workspace: Workspace) => Promise<T>,
  ): Promise<T> {
    const workspace = this.#workspaceFor(asked);
    try {
      const git = new GitCheckouts(workspace, asked, this.#options);
      return await work(await withContext(asked, workspace, git, signal), workspace);
    } finally {
      await workspace.close();
    }
  }

  /** What is at a URL. @throws EngineError `invalid`, `notFound`, `unavailable` */
  fetchUrl(url: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { proxyFor } = this.#options;
    return fetchUrl(url, { proxyFor, signal });
  }

  /** Of `all` without limits, the states that steps are called cached by are forgotten, too. */
  async prune(options: PruneOptions): Promise<Pruned> {
    const pruned = await this.usage.prune(options);
    const { reservedBytes = 0, maxUsedBytes = 0, minFreeBytes = 0 } = options;
    if (reservedBytes + maxUsedBytes + minFreeBytes === 0) this.cache.forgetStates();
    return pruned;
  }

  /** When all builds under way have ended and given back their mounts: to be awaited once their callers are gone. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #build(asked: BuildRequest, output: BuildOutput, signal: AbortSignal): Promise<Built> {
    const { storage, log, platform } = this.#options;
    refuseUnsupported(asked);
    const epochMs = sourceDateEpoch(asked);
    const several = asked.multiPlatform ?? parsePlatforms(asked.platform, platform).length > 1;
    const attested = attestsAlways(asked);
    const exports = planExports(asked.exports ?? [intoStore(asked.tags)], { epochMs, several, attested });
    const startedMs = Date.now();
    const lease = this.#options.images.leases.takeOnce('build');
    const workspace = this.#workspaceFor(asked);
    const git = new GitCheckouts(workspace, asked, this.#options);
    const used: (() => void)[] = [];
    const holding = asked.holdFailed;
    const endHolding = holding === undefined ? () => {} : this.heldSteps.open(holding);
    try {
      const request = await withContext(asked, workspace, git, signal);
      // Who names a time, or none, has the last word.
      const commitMs = 'SOURCE_DATE_EPOCH' in request.buildArgs ? undefined : request.commitTimeMs;
      const graphs = await this.#plan(request, workspace, output);
      const [{ dockerfile }] = graphs as [BuildGraph];
      if (request.bringContext !== undefined) {
        workspace.expectContext(request.bringContext);
        // Under way while other steps run; whoever needs it hears of what goes wrong.
        if (graphs.some(usesContext)) workspace.context().catch(() => {});
      }
      warnOfEmptyContinuations(dockerfile, output);
      const transfers = new CacheTransfers({
        ...this.#options,
        cache: this.cache,
        cacheMounts: this.#cacheMounts,
        request,
        output,
        lease,
        signal,
      });
      const imported = await transfers.import();
      const shared = {
        builder: this.#options,
        cache: this.cache,
        inFlight: this.#inFlight,
        records: this.#records,
        cacheMounts: this.#cacheMounts,
        pulls: this.#pulls,
        workspace,
        git,
        directories: new NamedDirectories(request.contexts, workspace, git),
        request,
        output,
        epochMs,
        holdLayer: (chainId: Digest) => lease.holdLayer(chainId),
        imported,
        hold:
          holding === undefined
            ? undefined
            : (step: FailedStep, left: AbortSignal) => this.heldSteps.hold(holding, step, left),
        made: (step: MadeStep) => transfers.made(step),
        usedMounts: (ids: readonly string[]) => transfers.usedMounts(ids),
        useKey: (key: Digest) => used.push(this.cache.use(key)),
      };
      const images = await allOrNone(graphs, signal, async (graph, stop) => {
        const materials: Material[] = contextMaterials(request);
        const material = (one: Material) => void materials.push(one);
        const state = await new Solve({ ...shared, graph, several, material }, stop).run();
        // A FROM scratch with nothing after it.
        if (state.history.length === 0)
          throw new EngineError('invalid', 'No image was generated. Is your Dockerfile empty?');
        const config = {
          ...imageConfigOf(state, { epochMs, commitMs }),
          ...transfers.inline(graph, state.layers),
        };
        const { layers } = state;
        const timeMs = epochMs ?? commitMs;
        const { platform } = this.#options;
        const facts = {
          graph,
          materials,
          platform,
          startedMs: epochMs ?? startedMs,
          finishedMs: epochMs ?? Date.now(),
          settled: epochMs !== undefined,
        };
        const said = request.attestations && {
          request: request.attestations,
          facts,
          name: nameOf(exports),
          timeMs,
        };
        return {
          platform: graph.platform,
          config,
          layers,
          ownLayers: layers.slice(state.base.layers),
          attestations: said === undefined ? [] : await attestationsOf({ layers }, said, workspace),
        };
      });
      warnOfUnusedArgs(request, graphs, output);
      // Steps do not wait for the disk; what refers to their layers from here on does.
      for (const { layers } of images) {
        const top = layers.at(-1);
        if (top !== undefined) await storage.layers.durable(top.chainId);
      }
      const result: BuildResult = { images, several, own: this.#options.platform, commitMs };
      const context: ExportContext = {
        images: this.#options.images,
        storage,
        packing: this.#options.packing,
        workspace,
        lease,
        made: imageId => output.event({ type: 'built', imageId }),
        tag: (imageId, name) => this.#tag(imageId, name, output),
        push: name => this.#push(name, request, output, signal),
        signal,
      };
      const answer: ExportAnswer = {};
      for (const planned of exports) Object.assign(answer, await exportResult(planned, result, context));
      output.event({ type: 'exported' });
      await transfers.export(graphs);
      const imageId = idOfImage(mainImage(result));
      log.debug({ imageId, tags: request.tags }, 'built');
      return { imageId, answer };
    } finally {
      endHolding();
      for (const release of used) release();
      try {
        await workspace.close();
      } finally {
        await lease.release();
      }
    }
  }

  #workspaceFor({ contextDirectory }: BuildRequest): Workspace {
    return new Workspace(this.#options.storage, contextDirectory, this.#temporary, this.#known);
  }

  /** A graph for each platform. What the linter says of the Dockerfile is said once. */
  async #plan(request: BuildRequest, workspace: Workspace, output: BuildOutput): Promise<BuildGraph[]> {
    const source = await sourceOf(request, workspace);
    const own = this.#options.platform;
    const platforms = parsePlatforms(request.platform, own);
    const graphs = platforms.map(platform => {
      const dockerfile = parseDockerfile(source);
      refuseOtherSyntax(request.buildArgs['BUILDKIT_SYNTAX'] ?? dockerfile.directives['syntax']);
      return planGraph(dockerfile, {
        target: request.target,
        buildArgs: request.buildArgs,
        platform: request.platform === '' ? '' : formatPlatform(platform),
        ownPlatform: own,
        contexts: request.contexts,
      });
    });
    const [graph] = graphs as [BuildGraph];
    const stages = new Set(graph.stages.map(({ stage }) => stage.index));
    const context = await this.#checkContext(request, source.file, workspace);
    const lint = lintPlanned(graph.dockerfile, { target: graph.target, stages }, request, context);
    for (const warning of lint.warnings) output.event({ type: 'lintWarning', warning, source });
    if (lint.fails) throw lintFailure(lint);
    for (const { dockerfile, target } of graphs) addLabels(dockerfile, target, request.labels);
    if (request.ignoreText === undefined) await pruneContext(workspace.contextDirectory, source.file);
    return graphs;
  }

  async #checkContext(
    { ignoreText }: BuildRequest,
    dockerfile: string,
    workspace: Workspace,
  ): Promise<CheckContext> {
    const { images, platform } = this.#options;
    const ignore = ignoreText ?? (await readIgnoreFile(workspace.contextDirectory, dockerfile)).text;
    return { images, platform, ignore };
  }

  async #push(
    name: string,
    request: BuildRequest,
    output: BuildOutput,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const reference = withTag(name);
    output.event({ type: 'pushing', reference });
    try {
      const manifest = await this.#options.pushImage(reference, request, signal);
      output.event({ type: 'pushed', reference, digest: manifest.digest });
      return manifest;
    } catch (error) {
      // containerd's words, which say what a registry's refusal may mean.
      const denied =
        'push access denied, repository does not exist or may require authorization: authorization failed';
      const failure = kindOf(error) === 'unauthorized' ? within(denied, error) : error;
      throw within(`failed to push ${reference}`, failure);
    }
  }

  #tag(imageId: Digest, tag: string, output: BuildOutput): void {
    const { images } = this.#options;
    const before = new Set(images.get(imageId)?.references);
    images.tag(imageId, tag);
    const added = images.get(imageId)?.references.find(reference => !before.has(reference));
    const reference = added ?? withTag(tag);
    output.event({ type: 'tagged', reference, asked: tag });
    this.#options.onTag(imageId, reference);
  }
}

/** All results, or the first failure once the others have stopped. */
async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failure: { error: unknown } | undefined;
  const running = items.map(async item => {
    try {
      return await work(item, either);
    } catch (error) {
      failure ??= { error };
      stop.abort();
      throw error;
    }
  });
  await Promise.allSettled(running);
  if (failure !== undefined) throw failure.error;
  return Promise.all(running);
}

/** Where a build's result goes when nothing else is said. */
function intoStore(tags: readonly string[]): BuildExport {
  return { type: 'image', attributes: { name: tags.join(',') } };
}

/** By the first of its names, if it has one. */
function nameOf(exports: readonly PlannedExport[]): string {
  const names = exports.flatMap(({ plan }) => ('names' in plan ? plan.names : []));
  return names[0] ?? 'image';
}

/** The repository that is the context. */
function contextMaterials({ contextUrl, contextCommit }: BuildRequest): Material[] {
  if (contextUrl === undefined || contextCommit === undefined) return [];
  return [{ type: 'git', url: withoutPassword(contextUrl), commit: contextCommit }];
}

function withTag(reference: string): string {
  return /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`;
}

/**
 * `# syntax=` names an image with a parser. Docker's own, also from a mirror, is what we are; its versions only ever add
 * to the language.
 */
function refuseOtherSyntax(syntax: string | undefined): void {
  const [image = ''] = (syntax ?? '').trim().split(/\s+/);
  if (image === '' || /^([^@]+\/)?docker\/dockerfile(-upstream)?([:@][^/]*)?$/.test(image)) return;
  throw new EngineError('notImplemented', `syntax ${image} is not supported: only docker/dockerfile is`);
}

function refuseUnsupported(request: BuildRequest): void {
  if (request.squash) throw new EngineError('notImplemented', 'squash is not supported');
}

/** With the repository fetched that is the context, if one is. */
async function withContext(
  request: BuildRequest,
  workspace: Workspace,
  git: GitCheckouts,
  signal: AbortSignal,
): Promise<BuildRequest> {
  if (request.contextUrl === undefined) return request;
  const { directory: contextDirectory, commit, timeMs } = await git.contextOf(request.contextUrl, signal);
  workspace.useContext(contextDirectory);
  return { ...request, contextDirectory, contextCommit: commit, commitTimeMs: timeMs };
}

async function sourceOf(request: BuildRequest, workspace: Workspace): Promise<DockerfileSource> {
  const name = request.dockerfile === '' ? 'Dockerfile' : request.dockerfile;
  if (request.dockerfileText === undefined) return readDockerfile(name, workspace);
  return { file: name, text: request.dockerfileText };
}

async function readDockerfile(name: string, workspace: Workspace): Promise<DockerfileSource> {
  const path = posix.normalize(name);
  if (path === '..' || path.startsWith('../') || path.startsWith('/'))
    throw new EngineError('invalid', `the Dockerfile (${name}) must be within the build context`);
  const context = await workspace.context();
  const root = await context.root();
  const bytes = await root.readFile(`/${path}`);
  if (bytes === undefined) throw new EngineError('invalid', `Cannot locate specified Dockerfile: ${name}`);
  return { file: name, text: bytes.toString('utf8') };
}

/** --label is a LABEL at the end of the target, as the classic builder has it. */
function addLabels(dockerfile: Dockerfile, target: number, labels: Record<string, string>): void {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return;
  const stage = dockerfile.stages[target]!;
  const quote = (text: string): string =>
    Array.from(text, char => (/[$"'\\`]/.test(char) ? dockerfile.escapeToken + char : char)).join('');
  stage.instructions.push({
    kind: 'LABEL',
    pairs: names.map(name => ({ key: quote(name), value: quote(labels[name]!) })),
    lines: stage.instructions.at(-1)?.lines ?? stage.from.lines,
    text: `LABEL ${names.map(name => `${name}=${labels[name]}`).join(' ')}`,
  });
}

/** In seconds, as reproducible-builds.org has it; undefined when the caller gives none. */
function sourceDateEpoch(request: BuildRequest): number | undefined {
  const text = request.buildArgs['SOURCE_DATE_EPOCH'];
  if (text === undefined || text === null || text === '') return undefined;
  if (!/^\d{1,12}$/.test(text)) throw new EngineError('invalid', `invalid SOURCE_DATE_EPOCH: ${text}`);
  return Number(text) * 1000;
}

function warnOfEmptyContinuations({ emptyContinuations }: Dockerfile, output: BuildOutput): void {
  if (emptyContinuations.length === 0) return;
  const lines = [
    ...emptyContinuations.map(text => `Empty continuation line found in:\n    ${text}`),
    'Empty continuation lines will become errors in a future release.',
  ];
  output.event({ type: 'dockerfileWarning', text: lines.map(line => `[WARNING]: ${line}\n`).join('') });
}

function warnOfUnusedArgs(request: BuildRequest, graphs: readonly BuildGraph[], output: BuildOutput): void {
  const declared = new Set(graphs.flatMap(({ declaredArgs }) => [...declaredArgs]));
  const unused = Object.keys(request.buildArgs)
    .filter(name => request.buildArgs[name] !== null && name !== 'SOURCE_DATE_EPOCH' && name !== inlineArg)
    .filter(name => !declared.has(name) && !predefinedArgs.has(name))
    .sort();
  if (unused.length === 0) return;
  output.event({ type: 'warning', text: `One or more build-args [${unused.join(' ')}] were not consumed` });
}
