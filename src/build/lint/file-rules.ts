import type { Heredoc } from '../dockerfile/heredoc.ts';
import type { Instruction } from '../dockerfile/instructions.ts';
import { readLines } from '../dockerfile/lines.ts';
import type { Dockerfile, Stage } from '../dockerfile/parse.ts';
import { splitBare } from '../dockerfile/words.ts';
import type { Finding } from './rules.ts';

/** Rules about how a Dockerfile is written, whatever it builds. */
export function checkFile(dockerfile: Dockerfile, comments: ReadonlyMap<number, string[]>): Finding[] {
  return [
    ...emptyContinuations(dockerfile),
    ...dockerfile.stages.flatMap(stage => [
      ...fromCasing(stage),
      ...stage.instructions.filter(({ kind }) => kind === 'MAINTAINER').map(maintainer),
    ]),
    ...descriptions(dockerfile, comments),
    ...stageNames(dockerfile.stages),
    ...instructionCasing(dockerfile.stages),
  ];
}

/** The name as it was written. */
export function writtenName(instruction: Instruction): string {
  return /^\s*(\S+)/.exec(instruction.text)![1]!;
}

function* emptyContinuations({ source }: Dockerfile): Generator<Finding> {
  const physical = source.text.split('\n');
  for (const { first, last, heredocs } of readLines(source).lines) {
    const end = last - heredocs.reduce((sum, heredoc) => sum + lineCount(heredoc), 0);
    const hasEmpty = physical.slice(first, end).some(line => line.trim() === '');
    if (!hasEmpty) continue;
    yield {
      rule: 'NoEmptyContinuation',
      detail: 'Empty continuation line',
      lines: { first: end, last: end },
    };
  }
}

/** With the line that ends it. */
function lineCount(heredoc: Heredoc): number {
  return heredoc.content.split('\n').length;
}

function* fromCasing({ from }: Stage): Generator<Finding> {
  const [command = '', ...words] = splitBare(from.text).filter(word => !word.startsWith('--'));
  const [, as, name] = words;
  if (as === undefined || name === undefined) return;
  if (name !== name.toLowerCase()) {
    yield finding('StageNameCasing', `Stage name '${name}' should be lowercase`, from);
  }
  const isLower = command === command.toLowerCase();
  if (!isLower && command !== command.toUpperCase()) return;
  if (as !== (isLower ? as.toLowerCase() : as.toUpperCase())) {
    yield finding('FromAsCasing', `'${as}' and '${command}' keywords' casing do not match`, from);
  }
}

function maintainer(instruction: Instruction): Finding {
  return finding(
    'MaintainerDeprecated',
    'Maintainer instruction is deprecated in favor of using label',
    instruction,
  );
}

function* descriptions(dockerfile: Dockerfile, comments: ReadonlyMap<number, string[]>): Generator<Finding> {
  const instructions = [
    ...dockerfile.globalArgs,
    ...dockerfile.stages.flatMap(stage => [stage.from, ...stage.instructions]),
  ];
  for (const instruction of instructions) {
    const names = definedBy(instruction);
    const comment = comments.get(instruction.lines.first)?.at(-1);
    if (names.length === 0 || comment === undefined || names.includes(comment.split(' ')[0]!)) continue;
    const example = names.length > 1 ? '<arg_key>' : names[0];
    const detail = `Comment for ${instruction.kind} should follow the format: \`# ${example} <description>\``;
    yield finding('InvalidDefinitionDescription', detail, instruction);
  }
}

function definedBy(instruction: Instruction): string[] {
  if (instruction.kind === 'ARG') return instruction.args.map(arg => arg.name);
  return instruction.kind === 'FROM' && instruction.name !== undefined ? [instruction.name] : [];
}

function* stageNames(stages: readonly Stage[]): Generator<Finding> {
  const seen = new Set<string>();
  for (const { name, from } of stages) {
    if (name === undefined) continue;
    if (name === 'context' || name === 'scratch') {
      const detail = `Stage name should not use the same name as reserved stage ${JSON.stringify(name)}`;
      yield finding('ReservedStageName', detail, from);
    }
    if (seen.has(name)) {
      const detail = `Duplicate stage name ${JSON.stringify(name)}, stage names should be unique`;
      yield finding('DuplicateStageName', detail, from);
    }
    seen.add(name);
  }
}

/** Names all upper or all lower case count; the majority wins, upper case when there is none. */
function* instructionCasing(stages: readonly Stage[]): Generator<Finding> {
  const instructions = stages.flatMap(stage => [stage.from, ...stage.instructions]);
  const names = instructions.map(writtenName);
  const lower = names.filter(name => name === name.toLowerCase()).length;
  const upper = names.filter(name => name === name.toUpperCase()).length;
  const isLower = lower > upper;
  for (const [index, name] of names.entries()) {
    if (name === (isLower ? name.toLowerCase() : name.toUpperCase())) continue;
    const wanted = isLower ? 'lowercase' : 'uppercase';
    const detail = `Command '${name}' should match the case of the command majority (${wanted})`;
    yield finding('ConsistentInstructionCasing', detail, instructions[index]!);
  }
}

function finding(rule: Finding['rule'], detail: string, { lines }: Instruction): Finding {
  return { rule, detail, lines, at: lines.first };
}
