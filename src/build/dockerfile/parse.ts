import { EngineError, messageOf } from '../../stdx/errors.ts';
import { DockerfileError, type DockerfileSource, parseError } from './errors.ts';
import type { Instruction } from './instructions.ts';
import { type LogicalLine, readLines } from './lines.ts';
import { parseInstruction } from './parse-instruction.ts';

export interface Dockerfile {
  source: DockerfileSource;
  escapeToken: string;
  directives: Record<string, string>;
  /** ARG before the first FROM. */
  globalArgs: Extract<Instruction, { kind: 'ARG' }>[];
  stages: Stage[];
  emptyContinuations: string[];
}

export interface Stage {
  index: number;
  from: Extract<Instruction, { kind: 'FROM' }>;
  name?: string;
  instructions: Exclude<Instruction, { kind: 'FROM' }>[];
}

/**
 * Reads a whole Dockerfile; nothing is expanded, looked up or run.
 * @throws DockerfileError with file, line and excerpt; EngineError `invalid` for an empty one.
 */
export function parseDockerfile(source: DockerfileSource): Dockerfile {
  if (source.text === '') throw new EngineError('invalid', `the Dockerfile (${source.file}) cannot be empty`);
  const { directives, escapeToken, lines, emptyContinuations } = readLines(source);
  const dockerfile: Dockerfile = {
    source,
    escapeToken,
    directives,
    globalArgs: [],
    stages: [],
    emptyContinuations,
  };
  for (const line of lines) {
    place(dockerfile, parseLine(source, line, escapeToken));
  }
  if (dockerfile.stages.length === 0) {
    const reason =
      dockerfile.globalArgs.length === 0
        ? 'failed to parse Dockerfile: file with no instructions'
        : 'no build stage in current context';
    throw new EngineError('invalid', reason);
  }
  return dockerfile;
}

/**
 * One instruction on its own, as ONBUILD's triggers are.
 * @throws DockerfileError
 */
export function parseSingleInstruction(text: string, file: string): Instruction {
  const source = { file, text };
  const { lines, escapeToken } = readLines(source);
  const [line, more] = lines;
  if (line !== undefined && more === undefined) return parseLine(source, line, escapeToken);
  throw new EngineError('invalid', `${file}: want one instruction, got ${lines.length}: ${text}`);
}

/**
 * The changes of commit's or import's: a Dockerfile that builds nothing.
 * @param allowed names of instructions; others are refused before anything is read, also those that nobody knows
 * @throws EngineError `invalid`, which names no line, as in Docker
 */
export function parseChanges(
  text: string,
  allowed: ReadonlySet<string>,
): { instructions: Instruction[]; escapeToken: string } {
  const { lines, escapeToken } = readLines({ file: 'changes', text });
  if (lines.length === 0) throw new EngineError('invalid', 'file with no instructions');
  const names = lines.map(line => line.text.trim().split(/\s/)[0]!);
  const refused = names.find(name => !allowed.has(name.toUpperCase()));
  if (refused !== undefined) {
    throw new EngineError('invalid', `${refused.toLowerCase()} is not a valid change command`);
  }
  return { instructions: lines.map(line => parseInstruction(line, escapeToken)), escapeToken };
}

function parseLine(source: DockerfileSource, line: LogicalLine, escapeToken: string): Instruction {
  const lines = { first: line.first, last: line.last };
  try {
    return parseInstruction(line, escapeToken);
  } catch (error) {
    if (error instanceof EngineError) throw parseError(source, lines, messageOf(error));
    throw error;
  }
}

function place(dockerfile: Dockerfile, instruction: Instruction): void {
  if (instruction.kind === 'FROM') {
    const index = dockerfile.stages.length;
    dockerfile.stages.push({ index, from: instruction, name: instruction.name, instructions: [] });
    return;
  }
  const stage = dockerfile.stages.at(-1);
  if (stage !== undefined) stage.instructions.push(instruction);
  else if (instruction.kind === 'ARG') dockerfile.globalArgs.push(instruction);
  else {
    const message = 'no build stage in current context';
    throw new DockerfileError('invalid', message, dockerfile.source, instruction.lines);
  }
}
