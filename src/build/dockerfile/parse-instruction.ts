import { EngineError } from '../../stdx/errors.ts';
import { nearest } from './did-you-mean.ts';
import { FlagReader } from './flags.ts';
import type { Command, Instruction, InstructionKind, KeyValue } from './instructions.ts';
import type { LogicalLine } from './lines.ts';
import { parseCopy } from './parse-copy.ts';
import { parseHealthcheck } from './parse-healthcheck.ts';
import { parseRun } from './parse-run.ts';
import { parseJsonForm, splitBare, splitRaw, takeFlags } from './words.ts';

/** What a parser of one kind of instruction gets. */
export interface InstructionText {
  /** Upper case. */
  name: string;
  /** After the flags. */
  rest: string;
  flags: FlagReader;
  line: LogicalLine;
  escapeToken: string;
}

type Body = Instruction extends infer I ? (I extends Instruction ? Omit<I, 'lines' | 'text'> : never) : never;

const parsers: Record<InstructionKind, (text: InstructionText) => Body> = {
  FROM: parseFrom,
  RUN: parseRun,
  COPY: parseCopy,
  ADD: parseCopy,
  ENV: text => ({ kind: 'ENV', pairs: parsePairs(text) }),
  LABEL: text => ({ kind: 'LABEL', pairs: parsePairs(text) }),
  ARG: parseArg,
  WORKDIR: text => ({ kind: 'WORKDIR', path: exactlyOne(text) }),
  USER: text => ({ kind: 'USER', user: exactlyOne(text) }),
  EXPOSE: text => ({ kind: 'EXPOSE', ports: atLeastOne(text, splitBare(text.rest)) }),
  VOLUME: parseVolume,
  CMD: text => ({ kind: 'CMD', command: parseCommand(text.rest) }),
  ENTRYPOINT: parseEntrypoint,
  SHELL: parseShell,
  STOPSIGNAL: text => ({ kind: 'STOPSIGNAL', signal: exactlyOne(text) }),
  HEALTHCHECK: parseHealthcheck,
  ONBUILD: parseOnbuild,
  MAINTAINER: text => ({ kind: 'MAINTAINER', maintainer: exactlyOne(text) }),
};

export const instructionNames = Object.keys(parsers) as InstructionKind[];

/** @throws EngineError `invalid` in Docker's words, without a place. */
export function parseInstruction(line: LogicalLine, escapeToken: string): Instruction {
  const [, word = '', after = ''] = /^\s*(\S+)\s*([\s\S]*)$/.exec(line.text) ?? [];
  const name = word.toUpperCase();
  const parse = Object.hasOwn(parsers, name) ? parsers[name as InstructionKind] : undefined;
  if (parse === undefined) {
    const hint = nearest(name, instructionNames);
    const suffix = hint === undefined ? '' : ` (did you mean ${hint}?)`;
    throw new EngineError('invalid', `unknown instruction: ${name}${suffix}`);
  }
  const { flags, rest } = takeFlags(after, escapeToken);
  const reader = new FlagReader(flags);
  const body = parse({ name, rest, flags: reader, line, escapeToken });
  reader.refuseOthers();
  return { ...body, lines: { first: line.first, last: line.last }, text: line.text } as Instruction;
}

const stageName = /^[a-z][a-z0-9-_.]*$/;

function parseFrom({ rest, flags }: InstructionText): Body {
  const words = splitBare(rest);
  const [base, as, written] = words;
  if (base === undefined || !(words.length === 1 || (words.length === 3 && as!.toUpperCase() === 'AS')))
    throw new EngineError('invalid', 'FROM requires either one or three arguments');
  const name = written?.toLowerCase();
  if (name !== undefined && !stageName.test(name)) {
    const message = `invalid name for build stage: "${written}", name can't start with a number or contain symbols`;
    throw new EngineError('invalid', message);
  }
  return { kind: 'FROM', base, name, platform: flags.text('platform') };
}

/** `K=V K2="V 2"`, or the old `K the rest of the line`. */
function parsePairs(text: InstructionText): KeyValue[] {
  const { name, rest, escapeToken } = text;
  const words = atLeastOne(text, splitRaw(rest, escapeToken));
  if (!words[0]!.includes('=')) {
    const match = /^(\S+)\s+([\s\S]+)$/.exec(rest);
    if (match === null) throw new EngineError('invalid', `${name} must have two arguments`);
    return [{ key: match[1]!, value: match[2]! }];
  }
  return words.map(word => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      const message = `Syntax error - can't find = in "${word}". Must be of the form: name=value`;
      throw new EngineError('invalid', message);
    }
    if (equals === 0) throw new EngineError('invalid', `${name} names can not be blank`);
    return { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function parseArg(text: InstructionText): Body {
  const words = atLeastOne(text, splitRaw(text.rest, text.escapeToken));
  const args = words.map(word => {
    const equals = word.indexOf('=');
    if (equals === 0) throw new EngineError('invalid', 'ARG names can not be blank');
    return equals < 0
      ? { name: word }
      : { name: word.slice(0, equals), defaultValue: word.slice(equals + 1) };
  });
  return { kind: 'ARG', args };
}

function parseVolume(text: InstructionText): Body {
  const json = parseJsonForm(text.rest);
  const paths = atLeastOne(text, json.form === 'json' ? json.values : splitBare(text.rest));
  if (paths.some(path => path.trim() === ''))
    throw new EngineError('invalid', 'VOLUME specified can not be an empty string');
  return { kind: 'VOLUME', paths };
}

function parseEntrypoint({ rest }: InstructionText): Body {
  return { kind: 'ENTRYPOINT', command: parseCommand(rest) };
}

/** `[...]` of strings is the exec form, all else the shell form. */
export function parseCommand(rest: string): Command {
  const json = parseJsonForm(rest);
  return json.form === 'json'
    ? { shell: false, args: json.values }
    : { shell: true, args: rest === '' ? [] : [rest] };
}

function parseShell({ rest }: InstructionText): Body {
  const json = parseJsonForm(rest);
  if (json.form !== 'json')
    throw new EngineError('invalid', 'SHELL requires the arguments to be in JSON form');
  if (json.values.length === 0) throw new EngineError('invalid', 'SHELL requires at least one argument');
  return { kind: 'SHELL', shell: json.values };
}

function parseOnbuild(text: InstructionText): Body {
  const [, trigger = ''] = /^(\S*)/.exec(text.rest) ?? [];
  if (trigger === '') throw new EngineError('invalid', 'ONBUILD requires at least one argument');
  refuseTrigger(trigger.toUpperCase());
  // The trigger must be right now, not only when somebody builds on the image.
  parseInstruction({ ...text.line, text: text.rest }, text.escapeToken);
  const bodies = text.line.heredocs.map(heredoc => `\n${heredoc.content}${heredoc.name}`);
  return { kind: 'ONBUILD', expression: text.rest + bodies.join('') };
}

/** @throws EngineError for the instructions that cannot be triggers. */
export function refuseTrigger(name: string): void {
  if (name === 'ONBUILD')
    throw new EngineError('invalid', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (name === 'FROM' || name === 'MAINTAINER')
    throw new EngineError('invalid', `${name} isn't allowed as an ONBUILD trigger`);
}

function exactlyOne({ name, rest }: InstructionText): string {
  if (rest === '') throw new EngineError('invalid', `${name} requires exactly one argument`);
  return rest;
}

function atLeastOne({ name }: InstructionText, words: string[]): string[] {
  if (words.length === 0) throw new EngineError('invalid', `${name} requires at least one argument`);
  return words;
}
