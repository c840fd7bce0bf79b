import type { Instruction, InstructionOf } from '../dockerfile/instructions.ts';
import type { Stage } from '../dockerfile/parse.ts';
import { splitRaw } from '../dockerfile/words.ts';
import { cleanPath, type IgnoreRules } from '../patterns/ignore.ts';
import { writtenName } from './file-rules.ts';
import { expanded } from './from-rules.ts';
import type { Finding } from './rules.ts';
import { suggestName } from './suggest.ts';

/** What is known where a stage begins, and after each of its instructions. */
export interface StageKnowledge {
  /** Variables that have a value. */
  env: Map<string, string>;
  /** Names of ARGs, with a value or without. */
  declared: Set<string>;
  /** The base image is not known, so anything may be set. */
  anyVariable: boolean;
  /** Of the base image or by SHELL: then the shell form is meant. */
  hasShell: boolean;
  hasWorkdir: boolean;
  /** '' as long as nothing says. */
  user: string;
}

export interface StageContext {
  escapeToken: string;
  buildArgs: Readonly<Record<string, string | null>>;
  globals: ReadonlyMap<string, string>;
  /** Of .dockerignore and its text's patterns; undefined where there is none. */
  ignore?: { rules: IgnoreRules; patterns: readonly string[] };
}

/** Rules about the instructions of one stage. @param known how the stage begins; is how it ends afterwards */
export function checkStage(stage: Stage, known: StageKnowledge, context: StageContext): Finding[] {
  const once = new Map<string, Instruction>();
  return stage.instructions.flatMap(instruction => [
    ...undefinedVariables(instruction, known, context),
    ...onlyLastCounts(instruction, once),
    ...checkInstruction(instruction, known, context),
  ]);
}

function* checkInstruction(
  instruction: Instruction,
  known: StageKnowledge,
  context: StageContext,
): Generator<Finding> {
  const found = findingsAt(instruction);
  const expand = (word: string): string => expanded(word, known.env, context.escapeToken)?.text ?? word;
  switch (instruction.kind) {
    case 'ENV':
    case 'LABEL': {
      const [first = ''] = splitRaw(instruction.text, context.escapeToken).slice(1);
      if (!first.includes('=')) {
        const name = writtenName(instruction);
        const detail = `"${name} key=value" should be used instead of legacy "${name} key value" format`;
        yield found('LegacyKeyValueFormat', detail);
      }
      if (instruction.kind === 'LABEL') break;
      for (const { key } of instruction.pairs) if (isSecret(key)) yield found(...secret('ENV', key));
      const pairs = instruction.pairs.map(({ key, value }) => [expand(key), expand(value)] as const);
      for (const [key, value] of pairs) known.env.set(key, value);
      break;
    }
    case 'ARG':
      for (const { name, defaultValue } of instruction.args) {
        if (isSecret(name)) yield found(...secret('ARG', name));
        const value =
          context.buildArgs[name] ??
          (defaultValue === undefined ? context.globals.get(name) : expand(defaultValue));
        if (value !== undefined) known.env.set(name, value);
        known.declared.add(name);
      }
      break;
    case 'CMD':
    case 'ENTRYPOINT':
      if (instruction.command.shell && !known.hasShell) {
        const name = writtenName(instruction);
        const reason = 'to prevent unintended behavior related to OS signals';
        yield found('JSONArgsRecommended', `JSON arguments recommended for ${name} ${reason}`);
      }
      break;
    case 'SHELL':
      known.hasShell = true;
      break;
    case 'USER':
      known.user = expand(instruction.user);
      break;
    case 'WORKDIR': {
      const path = expand(instruction.path);
      if (!known.hasWorkdir && !path.startsWith('/')) {
        const detail = `Relative workdir ${JSON.stringify(path)} can have unexpected results if the base image changes`;
        yield found('WorkdirRelativePath', detail);
      }
      known.hasWorkdir = true;
      break;
    }
    case 'EXPOSE':
      for (const port of instruction.ports.flatMap(word => expand(word).split(/\s+/))) {
        yield* checkPort(port, found);
      }
      break;
    case 'COPY':
    case 'ADD':
      yield* ignoredSources(instruction, expand, context.ignore, found);
      break;
  }
}

type Found = (rule: Finding['rule'], detail: string) => Finding;

function findingsAt({ lines }: Instruction): Found {
  return (rule, detail) => ({ rule, detail, lines, at: lines.first });
}

function* onlyLastCounts(instruction: Instruction, once: Map<string, Instruction>): Generator<Finding> {
  const { kind } = instruction;
  if (kind !== 'CMD' && kind !== 'ENTRYPOINT' && kind !== 'HEALTHCHECK') return;
  const before = once.get(kind);
  once.set(kind, instruction);
  if (before === undefined) return;
  const detail = `Multiple ${writtenName(instruction)} instructions should not be used in the same stage because only the last one will be used`;
  // The place is that of the one that does not count.
  yield {
    rule: 'MultipleInstructionsDisallowed',
    detail,
    lines: before.lines,
    at: instruction.lines.first,
  };
}

function* undefinedVariables(
  instruction: Instruction,
  known: StageKnowledge,
  context: StageContext,
): Generator<Finding> {
  if (known.anyVariable) return;
  const found = findingsAt(instruction);
  const told = new Set<string>();
  for (const word of expandedWords(instruction, context)) {
    for (const name of expanded(word, known.env, context.escapeToken)?.missing ?? []) {
      if (known.declared.has(name) || told.has(name)) continue;
      told.add(name);
      const hint = suggestName(name, known.env.keys());
      const suffix = hint === '' ? '' : ` (did you mean $${hint}?)`;
      yield found('UndefinedVar', `Usage of undefined variable '$${name}'${suffix}`);
    }
  }
}

/** The words of an instruction that the builder expands; RUN, CMD and ENTRYPOINT leave theirs to the shell. */
function expandedWords(instruction: Instruction, { buildArgs }: StageContext): string[] {
  switch (instruction.kind) {
    case 'ENV':
    case 'LABEL':
      return instruction.pairs.flatMap(({ key, value }) => [key, value]);
    case 'ARG':
      return instruction.args
        .filter(({ name }) => (buildArgs[name] ?? undefined) === undefined)
        .flatMap(({ defaultValue }) => defaultValue ?? []);
    case 'WORKDIR':
      return [instruction.path];
    case 'USER':
      return [instruction.user];
    // BuildKit does not look at EXPOSE's.
    case 'VOLUME':
      return instruction.paths;
    case 'STOPSIGNAL':
      return [instruction.signal];
    case 'COPY':
    case 'ADD':
      return [
        ...[instruction.chown, instruction.chmod, instruction.checksum].filter(word => word !== undefined),
        ...pathsOf(instruction),
        instruction.destination,
      ];
    case 'RUN':
      return instruction.mounts.flatMap(mount => mount.fields.map(field => field.value));
    default:
      return [];
  }
}

function pathsOf(instruction: InstructionOf<'COPY' | 'ADD'>): string[] {
  return instruction.sources.flatMap(source => (source.type === 'path' ? source.path : []));
}

const secretWord =
  /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmlessWord = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function isSecret(name: string): boolean {
  return secretWord.test(name) && !harmlessWord.test(name);
}

function secret(instruction: string, name: string): ['SecretsUsedInArgOrEnv', string] {
  const what = `(${instruction} ${JSON.stringify(name)})`;
  return ['SecretsUsedInArgOrEnv', `Do not use ARG or ENV instructions for sensitive data ${what}`];
}

/** `[address:][host port:]port[/protocol]` */
function* checkPort(port: string, found: Found): Generator<Finding> {
  const parts = port.split(':');
  const [, protocol = ''] = parts.at(-1)!.split('/');
  if (protocol !== protocol.toLowerCase()) {
    yield found('ExposeProtoCasing', `Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
  }
  if (parts.slice(0, -1).some(part => part !== '')) {
    const detail = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
    yield found('ExposeInvalidFormat', detail);
  }
}

function* ignoredSources(
  instruction: InstructionOf<'COPY' | 'ADD'>,
  expand: (word: string) => string,
  ignore: StageContext['ignore'],
  found: Found,
): Generator<Finding> {
  // What a rule takes back cannot be told from a path alone.
  if (ignore === undefined || ignore.rules.hasExceptions || instruction.from !== undefined) return;
  for (const path of pathsOf(instruction).map(expand)) {
    if (/^(https?|git|ssh):\/\/|^git@/.test(path)) continue;
    const cleaned = cleanPath(path);
    const isRoot = cleaned === '.' || cleaned === '/';
    const ignored = isRoot
      ? ignore.patterns.some(pattern => ['*', '**', '**/*'].includes(pattern))
      : ignore.rules.ignores(cleaned);
    if (!ignored) continue;
    const verb = instruction.kind === 'ADD' ? 'Add' : 'Copy';
    const detail = `Attempting to ${verb} file ${JSON.stringify(cleaned)} that is excluded by .dockerignore`;
    yield found('CopyIgnoredFile', detail);
  }
}
