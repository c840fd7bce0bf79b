import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { located } from './dockerfile/errors.ts';
import { expandWord, type Lookup } from './dockerfile/expand.ts';
import type { Instruction, RunMount } from './dockerfile/instructions.ts';
import type { Dockerfile, Stage } from './dockerfile/parse.ts';
import { findNamedContext, type NamedContextTable } from './named-contexts.ts';
import { formatPlatform, parsePlatform, platformArgs } from './platform.ts';

/** What has to be built for a target, decided from the Dockerfile's text alone. */
export interface BuildGraph {
  dockerfile: Dockerfile;
  /** In the order of the Dockerfile, only what the target needs. */
  stages: PlannedStage[];
  /** What the target does not need, as far as the Dockerfile tells: triggers of base images may. */
  others: PlannedStage[];
  target: number;
  /** What the result is for; stages may be for others. */
  platform: Platform;
  /** ARG before the first FROM, and the platform's variables: seen by `ARG name` without a default. */
  globalArgs: Map<string, string>;
  contexts: NamedContextTable;
  /** Names declared by an ARG anywhere in what is built; build arguments of other names are not consumed. */
  declaredArgs: Set<string>;
}

export interface PlannedStage {
  stage: Stage;
  base: StageBase;
  platform: Platform;
  /** The Dockerfile asked for the platform, so a base image of another one is refused. */
  platformWanted: boolean;
  /** Indexes of the stages whose results it uses, its base first. */
  needs: number[];
}

export type StageBase = { type: 'scratch' } | { type: 'stage'; index: number } | ImageBase | DirectoryContext;

/** What --from names. */
export type FromTarget = { type: 'stage'; index: number } | ImageBase | DirectoryContext;

/** A named context that is files, not an image. */
export interface DirectoryContext {
  type: 'context';
  /** Its key in the graph's contexts. */
  name: string;
}

export interface GraphOptions {
  target: string;
  buildArgs: Record<string, string | null>;
  /** The one platform to build for; '' is the machine's own. */
  platform: string;
  ownPlatform: Platform;
  contexts?: NamedContextTable;
}

/** @throws DockerfileError; EngineError `invalid` for an unknown target. */
export function planGraph(parsed: Dockerfile, options: GraphOptions): BuildGraph {
  const { contexts = {} } = options;
  const dockerfile = withoutReplaced(parsed, contexts);
  const wanted =
    options.platform === '' ? options.ownPlatform : parsePlatform(options.platform, options.ownPlatform);
  const globalArgs = platformArgs(wanted, options.ownPlatform);
  for (const name of globalArgs.keys())
    globalArgs.set(name, options.buildArgs[name] ?? globalArgs.get(name)!);
  const declaredArgs = readGlobalArgs(dockerfile, globalArgs, options.buildArgs);
  const target = findTarget(dockerfile, options.target);
  globalArgs.set('TARGETSTAGE', options.target === '' ? 'default' : options.target);
  const planned = dockerfile.stages.map(stage => planStage(dockerfile, stage, globalArgs, wanted, options));
  const needed = reach(dockerfile, planned, target);
  const stages = planned.filter(({ stage }) => needed.has(stage.index));
  const others = planned.filter(({ stage }) => !needed.has(stage.index));
  for (const { stage } of stages) for (const name of argsOf(stage.instructions)) declaredArgs.add(name);
  return { dockerfile, stages, others, target, platform: wanted, globalArgs, contexts, declaredArgs };
}

/** A stage that a context of its name stands for is not built: nothing is left but its FROM. */
function withoutReplaced(dockerfile: Dockerfile, contexts: NamedContextTable): Dockerfile {
  const stages = dockerfile.stages.map(stage =>
    replacementOf(stage, contexts) === undefined ? stage : { ...stage, instructions: [] },
  );
  return { ...dockerfile, stages };
}

function replacementOf(
  { name }: Stage,
  contexts: NamedContextTable,
): DirectoryContext | ImageBase | undefined {
  return name === undefined ? undefined : contextTarget(name, contexts);
}

interface ImageBase {
  type: 'image';
  reference: string;
}

/** @returns undefined: no context has the name. */
function contextTarget(name: string, contexts: NamedContextTable): DirectoryContext | ImageBase | undefined {
  const found = findNamedContext(contexts, name);
  if (found === undefined) return undefined;
  const { context } = found;
  return context.type === 'image'
    ? { type: 'image', reference: context.reference }
    : { type: 'context', name: found.name };
}

/**
 * Resolves --from: a stage by name or index, a named context, else an image.
 * @throws EngineError `invalid` for an index out of range.
 */
export function resolveFrom(
  { dockerfile, contexts }: Pick<BuildGraph, 'dockerfile' | 'contexts'>,
  from: string,
): FromTarget {
  if (/^[0-9]+$/.test(from)) {
    const index = Number(from);
    if (index >= dockerfile.stages.length)
      throw new EngineError('invalid', `invalid from flag value ${from}: invalid stage index ${from}`);
    return { type: 'stage', index };
  }
  const index = findStage(dockerfile.stages, from);
  if (index !== undefined) return { type: 'stage', index };
  return contextTarget(from, contexts) ?? { type: 'image', reference: from };
}

/** The --from values of an instruction. */
export function fromsOf(instruction: Instruction): string[] {
  if (instruction.kind === 'COPY') return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== 'RUN') return [];
  return instruction.mounts.map(mount => mount.from).filter(from => from !== undefined);
}

/** Whether a stage takes files from the build context, as far as the Dockerfile tells: triggers of base images may. */
export function usesContext({ stages }: Pick<BuildGraph, 'stages'>): boolean {
  return stages.some(({ stage }) => stage.instructions.some(takesFromContext));
}

function takesFromContext(instruction: Instruction): boolean {
  if (instruction.kind === 'RUN') return instruction.mounts.some(bindsContext);
  if (instruction.kind !== 'COPY' && instruction.kind !== 'ADD') return false;
  const { from, sources } = instruction;
  return from === undefined && sources.some(({ type }) => type === 'path');
}

function bindsContext({ fields, from }: RunMount): boolean {
  return from === undefined && (fields.find(({ key }) => key === 'type')?.value ?? 'bind') === 'bind';
}

export function argsOf(instructions: readonly Instruction[]): string[] {
  return instructions.flatMap(instruction =>
    instruction.kind === 'ARG' ? instruction.args.map(arg => arg.name) : [],
  );
}

/** Evaluates ARG before the first FROM into `values`. @returns the declared names. */
function readGlobalArgs(
  dockerfile: Dockerfile,
  values: Map<string, string>,
  buildArgs: GraphOptions['buildArgs'],
): Set<string> {
  const declared = new Set<string>();
  for (const instruction of dockerfile.globalArgs) {
    for (const arg of instruction.args) {
      const given = buildArgs[arg.name] ?? undefined;
      const value =
        given ??
        (arg.defaultValue === undefined
          ? undefined
          : expand(dockerfile, instruction, arg.defaultValue, values));
      if (value !== undefined) values.set(arg.name, value);
      declared.add(arg.name);
    }
  }
  return declared;
}

function planStage(
  dockerfile: Dockerfile,
  stage: Stage,
  globalArgs: Map<string, string>,
  wanted: Platform,
  options: GraphOptions,
): PlannedStage {
  const { from } = stage;
  const platformText = from.platform === undefined ? '' : expand(dockerfile, from, from.platform, globalArgs);
  const platform =
    platformText === ''
      ? wanted
      : inPlace(dockerfile, from, () => parsePlatform(platformText, options.ownPlatform));
  const { contexts = {} } = options;
  const name = expand(dockerfile, from, from.base, globalArgs);
  const base = inPlace(
    dockerfile,
    from,
    () => replacementOf(stage, contexts) ?? readBase(dockerfile, stage, name, contexts),
  );
  const froms = stage.instructions.flatMap(instruction =>
    fromsOf(instruction).map(text =>
      inPlace(dockerfile, instruction, () => resolveFrom({ dockerfile, contexts }, text)),
    ),
  );
  const needs = new Set(base.type === 'stage' ? [base.index] : []);
  for (const target of froms) if (target.type === 'stage') needs.add(target.index);
  const platformWanted = platformText !== '' || options.platform !== '';
  return { stage, base, platform, platformWanted, needs: [...needs] };
}

function readBase(
  dockerfile: Dockerfile,
  stage: Stage,
  name: string,
  contexts: NamedContextTable,
): StageBase {
  if (name === '') throw new EngineError('invalid', `base name (${stage.from.base}) should not be blank`);
  if (name === 'scratch') return { type: 'scratch' };
  // FROM sees the stages before it only.
  const index = findStage(dockerfile.stages.slice(0, stage.index), name);
  if (index !== undefined) return { type: 'stage', index };
  return contextTarget(name, contexts) ?? { type: 'image', reference: name };
}

/** The last stage of a name wins, as in BuildKit. */
function findStage(stages: readonly Stage[], name: string): number | undefined {
  return stages.findLast(stage => stage.name === name.toLowerCase())?.index;
}

function findTarget(dockerfile: Dockerfile, target: string): number {
  const last = dockerfile.stages.length - 1;
  if (target === '') return last;
  const index = findStage(dockerfile.stages, target);
  if (index !== undefined) return index;
  if (/^[0-9]+$/.test(target) && Number(target) <= last) return Number(target);
  throw new EngineError('invalid', `failed to reach build target ${target} in Dockerfile`);
}

/** The stages a target needs. @throws DockerfileError when any stage needs a later one, or itself. */
function reach(dockerfile: Dockerfile, planned: readonly PlannedStage[], target: number): Set<number> {
  const done = new Set<number>();
  const visit = (index: number): void => {
    if (done.has(index)) return;
    done.add(index);
    for (const need of planned[index]!.needs) visit(need);
  };
  for (const { stage, needs } of planned) {
    const late = needs.find(need => need >= stage.index);
    if (late !== undefined) throw lateStage(dockerfile, stage, late);
  }
  visit(target);
  return done;
}

function lateStage(dockerfile: Dockerfile, stage: Stage, need: number): Error {
  const wanted = dockerfile.stages[need]!.name ?? String(need);
  const own = stage.name ?? String(stage.index);
  const message =
    need === stage.index
      ? `circular dependency detected on stage: ${own}`
      : `cannot copy from stage "${wanted}", it needs to be defined before current stage "${own}"`;
  const names = [wanted, String(need)];
  const place = stage.instructions.find(instruction =>
    fromsOf(instruction).some(from => names.includes(from.toLowerCase())),
  );
  const lines = (place ?? stage.from).lines;
  return located(new EngineError('invalid', message), dockerfile.source, lines, 'invalid');
}

function expand(dockerfile: Dockerfile, at: Instruction, word: string, values: Map<string, string>): string {
  const lookup: Lookup = name => values.get(name);
  return inPlace(dockerfile, at, () => expandWord(word, lookup, dockerfile.escapeToken));
}

function inPlace<T>(dockerfile: Dockerfile, at: Instruction, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw located(error, dockerfile.source, at.lines, 'invalid');
  }
}

/** A graph as text, for tests and people: one line per stage. */
export function describeGraph(graph: BuildGraph): string {
  return graph.stages
    .map(({ stage, base, platform, needs }) => {
      const name = stage.name === undefined ? `${stage.index}` : `${stage.index} ${stage.name}`;
      const on = describeBase(base);
      const uses = needs.length === 0 ? '' : ` needs ${needs.join(' ')}`;
      return `${name}: ${on} ${formatPlatform(platform)}${uses}`;
    })
    .join('\n');
}

function describeBase(base: StageBase): string {
  if (base.type === 'image') return base.reference;
  if (base.type === 'stage') return `#${base.index}`;
  return base.type === 'context' ? `context ${base.name}` : 'scratch';
}
