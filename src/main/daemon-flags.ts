import { EngineError } from '../stdx/errors.ts';
import { type DaemonOption, daemonOptions, type OptionValue } from './daemon-options.ts';

/**
 * dockerd's command line, by pflag's rules: `--flag value`, `--flag=value`, `-Hvalue`, `-H value`, `-D`; a boolean
 * takes a value only behind `=`; `--` ends the flags.
 * @returns values by flag name, in the order given
 * @throws EngineError `invalid`
 */
export function parseFlags(argv: readonly string[]): Map<string, OptionValue[]> {
  const values = new Map<string, OptionValue[]>();
  const rest = [...argv];
  while (/^-./.test(rest[0] ?? '')) {
    const word = rest.shift()!;
    if (word === '--') break;
    if (word.startsWith('--')) takeLong(word, rest, values);
    else takeShort(word, rest, values);
  }
  if (rest.length > 0) {
    throw new EngineError(
      'invalid',
      `"gantryd" accepts no arguments, got "${rest[0]}".\nSee 'gantryd --help'.`,
    );
  }
  return values;
}

function takeLong(word: string, rest: string[], values: Map<string, OptionValue[]>): void {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const option = daemonOptions.find(({ flag, fileOnly }) => flag === name && fileOnly !== true);
  if (option === undefined) throw unknown(`unknown flag: --${name}`);
  add(values, option, equals < 0 ? undefined : word.slice(equals + 1), rest);
}

/** `-DH tcp://…`: letters without a value may be joined. */
function takeShort(word: string, rest: string[], values: Map<string, OptionValue[]>): void {
  for (let at = 1; at < word.length; at++) {
    const option = daemonOptions.find(({ short }) => short === word[at]);
    if (option === undefined) throw unknown(`unknown shorthand flag: '${word[at]}' in ${word}`);
    const behind = word.slice(at + 1);
    if (option.type.takesValue) {
      add(values, option, behind === '' ? undefined : behind.replace(/^=/, ''), rest);
      return;
    }
    if (behind.startsWith('=')) {
      add(values, option, behind.slice(1), rest);
      return;
    }
    add(values, option, undefined, rest);
  }
}

function add(
  values: Map<string, OptionValue[]>,
  option: DaemonOption,
  given: string | undefined,
  rest: string[],
): void {
  const text = given ?? (option.type.takesValue ? rest.shift() : 'true');
  if (text === undefined) throw unknown(`flag needs an argument: --${option.flag}`);
  let parsed: OptionValue[];
  try {
    parsed = option.type.fromText(text);
  } catch (error) {
    throw unknown(`invalid argument "${text}" for "--${option.flag}" flag: ${(error as Error).message}`);
  }
  values.set(option.flag, option.type.many ? [...(values.get(option.flag) ?? []), ...parsed] : parsed);
}

function unknown(message: string): EngineError {
  return new EngineError('invalid', `${message}\nSee 'gantryd --help'.`);
}
