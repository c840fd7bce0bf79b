import { messageOf } from '../stdx/errors.ts';
import { parseGoDuration } from '../stdx/go-duration.ts';
import { UsageError } from './errors.ts';
import { parseBytes } from './output/units.ts';

/**
 * Command-line flags by the rules of Go's pflag, which Docker's users know: `--flag`, `--flag=false`, grouped shorts
 * (`-it`), attached values (`-p8080:80`, `-n=5`), `--` ends flags, and commands that pass their arguments on stop at
 * the first one that is no flag.
 *
 * Flags are declared by their own help text, a line each, as `--help` shows them:
 *
 *     -e, --env list        Set environment variables
 *         --rm              Automatically remove the container
 *         --pull string     Pull image before running (default "missing")
 *
 * The word after the name is the type, none means a switch. `(default X)` at the end is the default. A line that
 * begins with `|` goes on with the text of the flag before it; one that begins with `#` is not shown in help. One that
 * begins with `!` is a flag of Docker's that is refused, and its text says why.
 */
export interface Flag {
  name: string;
  short: string;
  type: string;
  usage: string;
  /** As written in the help text, with its quotes; '' when there is none. */
  shownDefault: string;
  hidden: boolean;
  refused: boolean;
}

export function declareFlags(text: string): Flag[] {
  const flags: Flag[] = [];
  for (const line of text.split('\n')) {
    const trimmed = line.trimStart();
    if (trimmed === '') continue;
    if (trimmed.startsWith('|')) flags.at(-1)!.usage += `\n${trimmed.slice(1)}`;
    else flags.push(declareFlag(trimmed));
  }
  return flags;
}

function declareFlag(line: string): Flag {
  const match = /^([#!]\s*)?(?:-(\w), )?--([\w-]+)(?: ([\w-]+))?(?:\s{2,}(.*))?$/.exec(line);
  if (match === null) throw new Error(`flag declaration not understood: ${line}`);
  const [, mark, short = '', name = '', type = 'bool', text = ''] = match;
  const shownDefault = /\(default (.+)\)$/s.exec(text)?.[1] ?? '';
  const refused = mark?.startsWith('!') === true;
  return { name, short, type, usage: text, shownDefault, hidden: mark !== undefined, refused };
}

const listTypes = new Set([
  'list',
  'strings',
  'map',
  'mount',
  'network',
  'ulimit',
  'filter',
  'gpu-request',
  'stringArray',
]);

/** Flags as given, with their defaults. Asking for a flag that was not declared is a bug and throws. */
export class FlagValues {
  readonly #flags: Map<string, Flag>;
  readonly #values = new Map<string, string[]>();

  constructor(flags: readonly Flag[]) {
    this.#flags = new Map(flags.map(flag => [flag.name, flag]));
  }

  /** Whether it was given at all. */
  changed(name: string): boolean {
    this.#require(name);
    return this.#values.has(name);
  }

  on(name: string): boolean {
    return parseBool(this.#last(name) || 'false');
  }

  string(name: string): string {
    return this.#last(name);
  }

  /** Undefined when it was not given. */
  given(name: string): string | undefined {
    return this.changed(name) ? this.#last(name) : undefined;
  }

  list(name: string): string[] {
    this.#require(name);
    return this.#values.get(name) ?? [];
  }

  integer(name: string): number {
    return Number(this.#last(name) || 0);
  }

  bytes(name: string): number {
    return parseBytes(this.#last(name) || '0');
  }

  durationNs(name: string): number {
    return parseGoDuration(this.#last(name) || '0s');
  }

  /** @throws UsageError when the value does not fit the type */
  set(flag: Flag, value: string, shown: string): void {
    const fault = check(flag.type, value);
    if (fault !== undefined)
      throw new UsageError(`invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${fault}`);
    const values = flag.type === 'strings' ? value.split(',') : [value];
    const before = listTypes.has(flag.type) ? (this.#values.get(flag.name) ?? []) : [];
    this.#values.set(flag.name, [...before, ...values]);
  }

  #last(name: string): string {
    const flag = this.#require(name);
    return this.#values.get(name)?.at(-1) ?? flag.shownDefault.replace(/^"(.*)"$/s, '$1');
  }

  #require(name: string): Flag {
    const flag = this.#flags.get(name);
    if (flag === undefined) throw new Error(`flag --${name} is not declared`);
    return flag;
  }
}

export interface Parsed {
  values: FlagValues;
  /** Arguments that are no flags. */
  rest: string[];
  /** `-h` or `--help` was given (and is not a flag of the command's own). */
  help: boolean;
  /** How many of `rest` came before a `--`; undefined when there was none. */
  dashAt?: number;
}

/**
 * @param interspersed false: the first argument that is no flag ends flags (run, exec, and the program itself)
 * @throws UsageError in pflag's words
 */
export function parseFlags(flags: readonly Flag[], args: readonly string[], interspersed: boolean): Parsed {
  const parser = new Parser(flags, args);
  while (!parser.done) parser.step(interspersed);
  return parser.result;
}

class Parser {
  readonly #byName: Map<string, Flag>;
  readonly #byShort: Map<string, Flag>;
  readonly #left: string[];
  readonly result: Parsed;

  constructor(flags: readonly Flag[], args: readonly string[]) {
    this.#byName = new Map(flags.map(flag => [flag.name, flag]));
    this.#byShort = new Map(flags.filter(flag => flag.short !== '').map(flag => [flag.short, flag]));
    this.#left = [...args];
    this.result = { values: new FlagValues(flags), rest: [], help: false };
  }

  get done(): boolean {
    return this.#left.length === 0;
  }

  step(interspersed: boolean): void {
    const arg = this.#left.shift()!;
    if (arg === '--') {
      this.result.dashAt = this.result.rest.length;
      this.#takeRest();
    } else if (arg.startsWith('--')) this.#long(arg.slice(2), arg);
    else if (arg.startsWith('-') && arg.length > 1) this.#shorts(arg);
    else {
      this.result.rest.push(arg);
      if (!interspersed) this.#takeRest();
    }
  }

  #takeRest(): void {
    this.result.rest.push(...this.#left.splice(0));
  }

  #long(text: string, arg: string): void {
    const equals = text.indexOf('=');
    const name = equals === -1 ? text : text.slice(0, equals);
    if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${arg}`);
    const flag = this.#byName.get(name);
    if (flag === undefined) {
      if (name !== 'help') throw new UsageError(`unknown flag: --${name}`);
      this.result.help = true;
      return;
    }
    if (flag.refused) throw new UsageError(`--${name} is not supported: ${flag.usage}`);
    if (equals !== -1) this.#set(flag, text.slice(equals + 1));
    else if (flag.type === 'bool') this.#set(flag, 'true');
    else if (this.done) throw new UsageError(`flag needs an argument: ${arg}`);
    else this.#set(flag, this.#left.shift()!);
  }

  #shorts(arg: string): void {
    for (let at = 1; at < arg.length; at++) {
      const flag = this.#byShort.get(arg[at]!);
      if (flag === undefined) {
        if (arg[at] !== 'h')
          throw new UsageError(`unknown shorthand flag: '${arg[at]}' in -${arg.slice(at)}`);
        this.result.help = true;
        return;
      }
      const attached = arg.slice(at + 1);
      if (attached.startsWith('=')) this.#set(flag, attached.slice(1));
      else if (flag.type === 'bool') {
        this.#set(flag, 'true');
        continue;
      } else if (attached !== '') this.#set(flag, attached);
      else if (this.done) throw new UsageError(`flag needs an argument: '${arg[at]}' in -${arg.slice(at)}`);
      else this.#set(flag, this.#left.shift()!);
      return;
    }
  }

  #set(flag: Flag, value: string): void {
    const shown = flag.short === '' ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
    this.result.values.set(flag, value, shown);
  }
}

/** @returns what is wrong with the value, in Go's words */
function check(type: string, value: string): string | undefined {
  switch (type) {
    case 'bool':
      return /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)
        ? undefined
        : `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
    case 'int':
      return /^[+-]?\d+$/.test(value)
        ? undefined
        : `strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`;
    case 'uint':
    case 'uint16':
      return /^\d+$/.test(value)
        ? undefined
        : `strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`;
    case 'decimal':
      return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value)
        ? undefined
        : `failed to parse ${value} as a rational number`;
    case 'bytes':
      return value === '-1' || Number.isFinite(parseBytes(value)) ? undefined : sizeFault(value);
    case 'duration':
      return durationFault(value);
    case 'filter':
      return value.includes('=') ? undefined : 'bad format of filter (expected name=value)';
    default:
      return undefined;
  }
}

function durationFault(value: string): string | undefined {
  try {
    parseGoDuration(value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function sizeFault(value: string): string {
  const suffix = /^[\d.]+ ?(.+)$/.exec(value)?.[1];
  return suffix === undefined ? `invalid size: '${value}'` : `invalid suffix: '${suffix}'`;
}

function parseBool(value: string): boolean {
  return /^[1tT]/.test(value);
}
