import type { Platform } from '../../oci/image.ts';
import { type BuildGraph, fromsOf, type PlannedStage } from '../graph.ts';
import { formatPlatform } from '../platform.ts';
import { type Material, type WrittenMaterial, writtenMaterials } from './materials.ts';
import type { ProvenanceOptions } from './options.ts';

/** What a build was asked for, in the words of the frontend's options. */
export interface BuildParameters {
  frontend: string;
  args: ReadonlyMap<string, string>;
  /** Names the build among others. */
  invocationId: string;
  /** What the client was asked for of its files: `context`, `dockerfile`. */
  locals: readonly string[];
  /** The context is a repository or an archive from elsewhere. */
  remote?: string;
  dockerfile: string;
}

export interface BuildFacts {
  parameters: BuildParameters;
  graph: BuildGraph;
  materials: readonly Material[];
  /** Of the builder, not of the result. */
  platform: Platform;
  startedMs: number;
  finishedMs: number;
  /** No time of the build itself, nor its name, is told: the same inputs say the same. */
  settled: boolean;
}

export const predicateTypes = {
  'v0.2': 'https://slsa.dev/provenance/v0.2',
  v1: 'https://slsa.dev/provenance/v1',
} as const;

/**
 * How a result came about, as SLSA's provenance predicate (slsa.dev/spec), with BuildKit's extensions where they say what is
 * known here (BuildKit's docs/attestations/slsa-definitions.md). `mode=max` has arguments, secrets' names, the Dockerfile and its steps.
 */
export function provenance(facts: BuildFacts, options: ProvenanceOptions): object {
  const { parameters, graph, platform, settled } = facts;
  const max = options.mode === 'max';
  const materials = writtenMaterials(facts.materials);
  const { args, vcs, complete } = readArguments(parameters.args, max);
  const source = sourceOf(parameters, materials);
  const request = {
    frontend: parameters.frontend,
    ...(Object.keys(args).length === 0 ? {} : { args }),
    ...(max ? hiddenInputs(graph) : {}),
    locals: parameters.locals.map(name => ({ name })),
  };
  const known = parameters.locals.length === 0;
  const hermetic = known && !usesNetwork(graph);
  const steps = max ? planSteps(graph) : [];
  const details = {
    ...(Object.keys(vcs).length === 0 ? {} : { vcs }),
    ...(max ? { source: sourceMap(graph, steps) } : {}),
  };
  const times = {
    started: new Date(facts.startedMs).toISOString(),
    finished: new Date(facts.finishedMs).toISOString(),
  };
  const buildConfig = max
    ? { buildConfig: { llbDefinition: steps.map(({ id, op, inputs }) => ({ id, op, inputs })) } }
    : {};
  const builder = { id: options.builderId };
  if (options.version === 'v1')
    return {
      buildDefinition: {
        buildType: 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md',
        externalParameters: { configSource: { ...source, path: parameters.dockerfile }, request },
        internalParameters: { ...buildConfig, builderPlatform: formatPlatform(platform) },
        resolvedDependencies: materials,
      },
      runDetails: {
        builder,
        metadata: {
          ...(settled ? {} : { invocationID: parameters.invocationId }),
          startedOn: times.started,
          finishedOn: times.finished,
          buildkit_metadata: details,
          ...(hermetic ? { buildkit_hermetic: true } : {}),
          buildkit_completeness: { request: complete, resolvedDependencies: known },
          ...(options.reproducible ? { buildkit_reproducible: true } : {}),
        },
      },
    };
  return {
    builder,
    buildType: 'https://mobyproject.org/buildkit@v1',
    materials,
    invocation: {
      configSource: { ...source, entryPoint: parameters.dockerfile },
      parameters: request,
      environment: { platform: formatPlatform(platform) },
    },
    ...buildConfig,
    metadata: {
      ...(settled ? {} : { buildInvocationID: parameters.invocationId }),
      buildStartedOn: times.started,
      buildFinishedOn: times.finished,
      completeness: { parameters: complete, environment: true, materials: known },
      reproducible: options.reproducible,
      ...(hermetic ? { 'https://mobyproject.org/buildkit@v1#hermetic': true } : {}),
      'https://mobyproject.org/buildkit@v1#metadata': details,
    },
  };
}

/** Options that say something of the daemon or the client, not of the build (BuildKit, provenance/predicate.go). */
const ofTheHost =
  /^(cgroup-parent|image-resolve-mode|platform|cache-imports|cache-from|context|filename|frontend\.caps|requestid)$|^(attest|gantry\.|local-sessionid|build-arg:BUILDKIT_ATTEST)/;

function readArguments(options: BuildParameters['args'], max: boolean) {
  const args: Record<string, string> = {};
  const vcs: Record<string, string> = {};
  let complete = true;
  for (const [name, value] of [...options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (ofTheHost.test(name)) continue;
    if (name.startsWith('vcs:')) {
      if (value !== '') vcs[name.slice(4)] = withoutPassword(value);
    } else if (!max && /^(build-arg|label):/.test(name)) complete = false;
    else args[name] = name.startsWith('context:') ? withoutPassword(value) : value;
  }
  return { args, vcs, complete };
}

/** Where the Dockerfile came from when it was not the client's. */
function sourceOf({ remote }: BuildParameters, materials: readonly WrittenMaterial[]) {
  if (remote === undefined) return {};
  const uri = withoutPassword(remote);
  const material = materials.find(one => one.uri === uri || one.uri === uri.replace(/#.*$/, ''));
  return { uri, ...(material === undefined ? {} : { digest: material.digest }) };
}

export function withoutPassword(text: string): string {
  return text.replace(/^([a-z+]+:\/\/)[^@/]*@/i, '$1xxxxx@');
}

/** Names only: values are told to nobody. */
function hiddenInputs({ stages }: BuildGraph) {
  const found: Record<'secret' | 'ssh', Map<string, object>> = { secret: new Map(), ssh: new Map() };
  for (const { stage } of stages) {
    for (const instruction of stage.instructions) {
      if (instruction.kind !== 'RUN') continue;
      for (const { fields: pairs } of instruction.mounts) {
        const fields = new Map(pairs.map(({ key, value }) => [key, value]));
        const type = fields.get('type');
        if (type !== 'secret' && type !== 'ssh') continue;
        const target = (fields.get('target') ?? fields.get('dst') ?? fields.get('destination') ?? '')
          .split('/')
          .at(-1)!;
        const id = fields.get('id') || (type === 'ssh' ? 'default' : fields.get('source') || target);
        const optional = fields.get('required') !== 'true';
        found[type].set(id, { id, ...(optional ? { optional } : {}) });
      }
    }
  }
  return {
    ...(found.secret.size === 0 ? {} : { secrets: [...found.secret.values()] }),
    ...(found.ssh.size === 0 ? {} : { ssh: [...found.ssh.values()] }),
  };
}

function usesNetwork({ stages }: BuildGraph): boolean {
  return stages.some(({ stage }) =>
    stage.instructions.some(instruction => instruction.kind === 'RUN' && instruction.network !== 'none'),
  );
}

interface ProvenanceStep {
  id: string;
  op: object;
  inputs: string[];
  lines: { first: number; last: number };
}

/** The Dockerfile's instructions that have files for a result, each with what it works on. */
function planSteps({ stages }: BuildGraph): ProvenanceStep[] {
  const steps: ProvenanceStep[] = [];
  const last = new Map<number, string>();
  for (const { stage, base, platform, needs } of stages) {
    const inputs = (step: PlannedStage['stage']['instructions'][number] | undefined, before?: string) => {
      const others = step === undefined ? [] : fromsOf(step);
      const named = needs.filter(index =>
        others.some(from => from === String(index) || from.toLowerCase() === nameOf(stages, index)),
      );
      return [...(before === undefined ? [] : [before]), ...named.map(index => last.get(index))]
        .filter(id => id !== undefined)
        .map(id => `${id}:0`);
    };
    const add = (text: string, lines: ProvenanceStep['lines'], from: string[]): string => {
      const id = `step${steps.length}`;
      const op = { Op: { dockerfile: { instruction: text } }, platform: writtenPlatform(platform) };
      steps.push({ id, op, inputs: from, lines });
      return id;
    };
    const below = base.type === 'stage' ? last.get(base.index) : undefined;
    let before = add(stage.from.text, stage.from.lines, inputs(undefined, below));
    for (const instruction of stage.instructions) {
      if (!['RUN', 'COPY', 'ADD', 'WORKDIR'].includes(instruction.kind)) continue;
      before = add(instruction.text, instruction.lines, inputs(instruction, before));
    }
    last.set(stage.index, before);
  }
  return steps;
}

/** As in BuildKit's protocol. */
function writtenPlatform({ os, architecture, variant }: Platform) {
  return { Architecture: architecture, OS: os, ...(variant === undefined ? {} : { Variant: variant }) };
}

function nameOf(stages: readonly PlannedStage[], wanted: number): string | undefined {
  return stages.find(({ stage }) => stage.index === wanted)?.stage.name;
}

/** The Dockerfile, and which of its lines a step is. */
function sourceMap({ dockerfile }: BuildGraph, steps: readonly ProvenanceStep[]) {
  const { file, text } = dockerfile.source;
  return {
    locations: Object.fromEntries(
      steps.map(({ id, lines: { first, last } }) => [
        id,
        { locations: [{ ranges: [{ start: { line: first }, end: { line: last } }] }] },
      ]),
    ),
    infos: [{ filename: file, language: 'Dockerfile', data: Buffer.from(text).toString('base64') }],
  };
}
