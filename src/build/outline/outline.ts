import type { ImageRunConfig } from '../../oci/image.ts';
import type { LineRange } from '../dockerfile/errors.ts';
import { expandWord } from '../dockerfile/expand.ts';
import type { InstructionOf, RunMount } from '../dockerfile/instructions.ts';
import type { Stage } from '../dockerfile/parse.ts';
import type { BuildGraph, PlannedStage } from '../graph.ts';
import { commentsBefore } from '../lint/comments.ts';
import { envOf } from '../state.ts';
import { columns } from './columns.ts';
import { descriptionOf, locationOf, type OutlineLocation } from './comment.ts';

/** `result.json` of BuildKit's request `frontend.outline`: what can be given to a build; `--call outline`. */
export interface Outline {
  name?: string;
  description?: string;
  args?: OutlineArg[];
  secrets?: OutlineNeed[];
  ssh?: OutlineNeed[];
  /** The Dockerfile, in base64. */
  sources: string[];
}

interface OutlineArg {
  name: string;
  description?: string;
  value?: string;
  location: OutlineLocation;
}

interface OutlineNeed {
  name: string;
  required?: true;
  location: OutlineLocation;
}

export interface OutlineOptions {
  buildArgs: Readonly<Record<string, string | null>>;
  /** Of an image that is here; undefined: nobody knows what it sets. */
  baseConfig(reference: string): ImageRunConfig | undefined;
}

interface ArgInfo {
  arg: OutlineArg;
  line: number;
  /** Names that its default is made of. */
  uses: ReadonlySet<string>;
}

interface Need {
  required: boolean;
  lines: LineRange;
}

/** What one stage takes, without what it is built on or copies from. */
interface StageNeeds {
  args: Map<string, ArgInfo>;
  secrets: Map<string, Need>;
  ssh: Map<string, Need>;
}

/**
 * What a build of the graph's target asks its user for: ARGs of the stages it needs, secrets and agents. Base images
 * that are not here are not fetched: an ARG's default that is made of their variables lacks these.
 */
export function outlineOf(graph: BuildGraph, options: OutlineOptions): Outline {
  const outliner = new Outliner(graph, options);
  const needs = outliner.needsOfTarget();
  const { dockerfile, target } = graph;
  const { name, from } = dockerfile.stages[target]!;
  const description = descriptionOf(name ?? '', commentsBefore(dockerfile).get(from.lines.first));
  const args = [...needs.args.values()].sort((a, b) => a.line - b.line).map(({ arg }) => arg);
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(args.length === 0 ? {} : { args }),
    ...listed('secrets', needs.secrets),
    ...listed('ssh', needs.ssh),
    sources: [Buffer.from(dockerfile.source.text).toString('base64')],
  };
}

function listed(key: 'secrets' | 'ssh', needs: ReadonlyMap<string, Need>) {
  if (needs.size === 0) return {};
  const list = [...needs]
    .sort(([, a], [, b]) => a.lines.first - b.lines.first)
    .map(([name, { required, lines }]): OutlineNeed => {
      return { name, ...(required ? { required } : {}), location: locationOf(lines) };
    });
  return { [key]: list };
}

class Outliner {
  readonly #graph: BuildGraph;
  readonly #options: OutlineOptions;
  readonly #comments: ReadonlyMap<number, string[]>;
  readonly #globals: ReadonlyMap<string, ArgInfo>;

  constructor(graph: BuildGraph, options: OutlineOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#comments = commentsBefore(graph.dockerfile);
    this.#globals = this.#readGlobals();
  }

  needsOfTarget(): StageNeeds {
    const ends = new Map<number, ReadonlyMap<string, string>>();
    const ofStages = new Map<number, StageNeeds>();
    // In the order of the Dockerfile: a stage knows the variables of the one it is built on.
    for (const planned of this.#graph.stages) {
      const env = new Map(this.#envBefore(planned, ends));
      ofStages.set(planned.stage.index, this.#stage(planned.stage, env));
      ends.set(planned.stage.index, env);
    }
    const all: StageNeeds = { args: new Map(), secrets: new Map(), ssh: new Map() };
    const visited = new Set<number>();
    const visit = (index: number): void => {
      if (visited.has(index)) return;
      visited.add(index);
      const own = ofStages.get(index)!;
      // Of the same name the one nearest to the target counts.
      for (const [name, info] of own.args) if (!all.args.has(name)) all.args.set(name, info);
      for (const [name, need] of own.secrets) if (!all.secrets.has(name)) all.secrets.set(name, need);
      for (const [name, need] of own.ssh) if (!all.ssh.has(name)) all.ssh.set(name, need);
      const planned = this.#graph.stages.find(({ stage }) => stage.index === index)!;
      for (const need of planned.needs) visit(need);
    };
    visit(this.#graph.target);
    return all;
  }

  #readGlobals(): Map<string, ArgInfo> {
    const globals = new Map<string, ArgInfo>();
    for (const instruction of this.#graph.dockerfile.globalArgs) {
      for (const { name, defaultValue } of instruction.args) {
        const uses = new Set<string>();
        if (defaultValue !== undefined) this.#expand(defaultValue, this.#graph.globalArgs, uses);
        globals.set(name, this.#info(instruction, name, this.#graph.globalArgs.get(name), uses));
      }
    }
    return globals;
  }

  #info(
    { lines }: InstructionOf<'ARG'>,
    name: string,
    value: string | undefined,
    uses: ReadonlySet<string> = new Set(),
  ): ArgInfo {
    const description = descriptionOf(name, this.#comments.get(lines.first));
    const arg: OutlineArg = {
      name,
      ...(description === undefined ? {} : { description }),
      ...(value === undefined || value === '' ? {} : { value }),
      location: locationOf(lines),
    };
    return { arg, line: lines.first, uses };
  }

  #envBefore(
    { base }: PlannedStage,
    ends: ReadonlyMap<number, ReadonlyMap<string, string>>,
  ): ReadonlyMap<string, string> {
    if (base.type === 'stage') return ends.get(base.index) ?? new Map();
    return base.type === 'image' ? envOf(this.#options.baseConfig(base.reference) ?? {}) : new Map();
  }

  /** @param env as the stage begins; as it ends afterwards */
  #stage({ from, instructions }: Stage, env: Map<string, string>): StageNeeds {
    const needs: StageNeeds = { args: new Map(), secrets: new Map(), ssh: new Map() };
    const inFrom = new Set<string>();
    for (const word of [from.base, from.platform ?? '']) this.#expand(word, this.#graph.globalArgs, inFrom);
    for (const name of inFrom) this.#useGlobal(name, needs);
    for (const instruction of instructions) {
      if (instruction.kind === 'ENV') {
        const pairs = instruction.pairs.map(({ key, value }) => [
          this.#expand(key, env),
          this.#expand(value, env),
        ]);
        for (const [key, value] of pairs) env.set(key!, value!);
      } else if (instruction.kind === 'ARG') this.#args(instruction, env, needs);
      else if (instruction.kind === 'RUN') {
        for (const mount of instruction.mounts) this.#mount(mount, instruction.lines, env, needs);
      }
    }
    return needs;
  }

  #args(instruction: InstructionOf<'ARG'>, env: Map<string, string>, needs: StageNeeds): void {
    const { globalArgs } = this.#graph;
    for (const { name, defaultValue } of instruction.args) {
      const given = this.#options.buildArgs[name] ?? undefined;
      if (given === undefined && defaultValue === undefined && globalArgs.has(name)) {
        // What it is, the ARG before the first FROM says; the platform's are nobody's to give.
        env.set(name, globalArgs.get(name)!);
        this.#useGlobal(name, needs);
        continue;
      }
      const value = given ?? (defaultValue === undefined ? undefined : this.#expand(defaultValue, env));
      if (value !== undefined) env.set(name, value);
      needs.args.set(name, this.#info(instruction, name, value));
    }
  }

  #useGlobal(name: string, needs: StageNeeds): void {
    const info = this.#globals.get(name);
    if (info === undefined || needs.args.has(name)) return;
    needs.args.set(name, info);
    for (const used of info.uses) this.#useGlobal(used, needs);
  }

  #mount({ fields }: RunMount, lines: LineRange, env: ReadonlyMap<string, string>, needs: StageNeeds): void {
    const field = (...names: string[]): string | undefined => {
      const found = fields.findLast(({ key }) => names.includes(key));
      return found === undefined ? undefined : this.#expand(found.value, env);
    };
    const type = field('type');
    if (type !== 'secret' && type !== 'ssh') return;
    const target = field('target', 'dst', 'destination') ?? '';
    const fallback = type === 'ssh' ? 'default' : target.split('/').at(-1)!;
    const id = field('source', 'src') || field('id') || fallback;
    const found = type === 'ssh' ? needs.ssh : needs.secrets;
    if (!found.has(id)) found.set(id, { required: field('required') === 'true', lines });
  }

  /** @param used is told the names that have a value */
  #expand(word: string, values: ReadonlyMap<string, string>, used?: Set<string>): string {
    const lookup = (name: string): string | undefined => {
      if (values.has(name)) used?.add(name);
      return values.get(name);
    };
    return expandWord(word, lookup, this.#graph.dockerfile.escapeToken);
  }
}

export function outlineText({ name, description, args, secrets, ssh }: Outline): string {
  const tables: string[] = [];
  const head = [
    ...(name === undefined ? [] : [['TARGET:', name]]),
    ...(description === undefined ? [] : [['DESCRIPTION:', description]]),
  ];
  if (head.length > 0) tables.push(columns(head, 1));
  if (args !== undefined) {
    const lines = args.map(arg => [arg.name, arg.value ?? '', arg.description ?? '']);
    tables.push(columns([['BUILD ARG', 'VALUE', 'DESCRIPTION'], ...lines], 3));
  }
  for (const [title, needs] of [
    ['SECRET', secrets],
    ['SSH', ssh],
  ] as const) {
    if (needs === undefined) continue;
    const lines = needs.map(need => [need.name, need.required === true ? 'true' : '']);
    tables.push(columns([[title, 'REQUIRED'], ...lines], 3));
  }
  return tables.map(table => `${table}\n`).join('');
}
