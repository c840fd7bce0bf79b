import type { FlagValues } from './flags.ts';
import type { Session } from './session.ts';

/** One command: what its help says, what it takes, what it does. Each is a file in commands/, loaded when called. */
export interface Command {
  /** What follows the command's name in its usage line: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  usage: string;
  short: string;
  /** All names it goes by, without the program: `container ls, container list, container ps, ps`. */
  aliases?: string;
  /** The flags, in the notation of flags.ts. */
  flags: string;
  takes: Arity;
  /** False: the first argument ends flags, the rest belongs to somebody else (run, exec). */
  interspersed?: boolean;
  /** Errors are told as `gantry: ...` with a pointer to the help, and end with status 125 (run). */
  runsContainers?: boolean;
  /** @returns the exit status; errors are thrown */
  run(call: Call): Promise<number | void>;
}

/** A command as called. */
export interface Call {
  session: Session;
  flags: FlagValues;
  /** What was given between the group's name and the command's. */
  groupFlags: FlagValues;
  args: string[];
  /** How many of `args` came before a `--`; undefined when there was none. */
  dashAt?: number;
  /** The command's name as typed, without the program: `container ls`. */
  path: string;
}

export interface Arity {
  min: number;
  /** Infinity: any number. */
  max: number;
}

export const noArguments: Arity = { min: 0, max: 0 };
export const anyArguments: Arity = { min: 0, max: Number.POSITIVE_INFINITY };

export function exactly(count: number): Arity {
  return { min: count, max: count };
}

export function atLeast(count: number): Arity {
  return { min: count, max: Number.POSITIVE_INFINITY };
}

export function upTo(count: number): Arity {
  return { min: 0, max: count };
}

export function between(min: number, max: number): Arity {
  return { min, max };
}

/** What is wrong with the number of arguments, in Docker's words; undefined when nothing is. */
export function arityFault(path: string, { min, max }: Arity, count: number): string | undefined {
  if (count >= min && count <= max) return undefined;
  const plural = (amount: number) => `${amount} ${amount === 1 ? 'argument' : 'arguments'}`;
  if (max === 0) return `'${path}' accepts no arguments`;
  if (min === max) return `'${path}' requires ${plural(min)}`;
  if (max === Number.POSITIVE_INFINITY) return `'${path}' requires at least ${plural(min)}`;
  if (min === 0) return `'${path}' requires at most ${plural(max)}`;
  return `'${path}' requires at least ${min} and at most ${plural(max)}`;
}
