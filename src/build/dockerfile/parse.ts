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
  const { line, escapeToken } = singleLine(source);
  return parseLine(source, line, escapeToken);
}

/**
 * A change of commit's or import's.
 * @throws EngineError `invalid`, which names no line, as there is but one
 */
export function parseChange(text: string): Instruction {
  const { line, escapeToken } = singleLine({ file: 'change', text });
  return parseInstruction(line, escapeToken);
}

function singleLine(source: DockerfileSource): { line: LogicalLine; escapeToken: string } {
  const { lines, escapeToken } = readLines(source);
  const [line, more] = lines;
  if (line !== undefined && more === undefined) return { line, escapeToken };
  throw new EngineError(
    'invalid',
    `${source.file}: want one instruction, got ${lines.length}: ${source.text}`,
  );
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
