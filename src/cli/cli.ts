import { ApiError } from '../client/api-error.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { arityFault } from './command.ts';
import { type CommandEntry, type CommandGroup, commandTree, isGroup } from './command-tree.ts';
import { ExitError, UsageError } from './errors.ts';
import { declareFlags, FlagValues, type Parsed, parseFlags } from './flags.ts';
import { globalFlags } from './global-flags.ts';
import { Session, type Surroundings } from './session.ts';

/**
 * Runs one command line.
 * @param args without program and script
 * @returns the exit status
 */
export async function runCli(args: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    return await dispatch(args, surroundings);
  } catch (error) {
    return report(error, surroundings);
  }
}

async function dispatch(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let globals: Parsed;
  try {
    globals = parseFlags(declareFlags(globalFlags), args, false);
  } catch (error) {
    throw misused(error, 'gantry', 'gantry [OPTIONS] COMMAND [ARG...]');
  }
  const [name, ...rest] = globals.rest;
  if (globals.values.on('version')) {
    const { version, commit } = surroundings.build;
    surroundings.out.line(`Gantry version ${version}, build ${commit}`);
    return 0;
  }
  if (name === undefined || (name === 'help' && rest.length === 0)) {
    const { rootHelp } = await import('./help.ts');
    const to = name === undefined && !globals.help ? surroundings.err : surroundings.out;
    to.write(rootHelp(helpWidth(surroundings)));
    return 0;
  }
  checkLogLevel(globals.values.string('log-level'));
  const session = new Session(surroundings, globals.values);
  try {
    if (name === 'help') return await helpAbout(rest, session);
    return await runNamed(name, rest, session, globals.help);
  } finally {
    session.close();
  }
}

function checkLogLevel(level: string): void {
  if (!/^(panic|fatal|error|warn|warning|info|debug|trace)$/i.test(level))
    throw new ExitError(1, `Unable to parse logging level: ${level}`);
}

async function runNamed(name: string, rest: string[], session: Session, help: boolean): Promise<number> {
  const found = find(commandTree, name);
  if (found === undefined) throw await unknownCommand(name, Object.keys(commandTree), '');
  if (!isGroup(found)) return runCommand(name, found, help ? ['--help'] : rest, session);
  const { values: groupFlags, rest: inGroup, help: groupHelpAsked } = groupArguments(name, found, rest);
  const [subName, ...subRest] = inGroup;
  if (subName === undefined || groupHelpAsked || subName === '--help' || subName === '-h' || help) {
    const { groupHelp } = await import('./help.ts');
    const to = subName === undefined && !groupHelpAsked && !help ? session.err : session.out;
    to.write(groupHelp(name, found, helpWidth(session)));
    return 0;
  }
  if (subName.startsWith('-'))
    throw misused(
      new UsageError(`unknown flag: ${subName}`),
      `gantry ${name}`,
      `gantry ${name} COMMAND`,
      found.misuseStatus,
    );
  const command = find(found.commands, subName);
  if (command === undefined) throw await unknownCommand(subName, Object.keys(found.commands), name);
  return runCommand(`${name} ${subName}`, command, subRest, session, { ...found, values: groupFlags });
}

/** Flags of the group come before the name of the command; groups without flags leave that to the command. */
function groupArguments(name: string, group: CommandGroup, args: string[]): Parsed {
  const flags = declareFlags(group.flags ?? '');
  if (group.flags === undefined) return { values: new FlagValues(flags), rest: args, help: false };
  try {
    return parseFlags(flags, args, false);
  } catch (error) {
    throw misused(error, `gantry ${name}`, `gantry ${name} [OPTIONS] COMMAND`, group.misuseStatus);
  }
}

async function runCommand(
  path: string,
  entry: CommandEntry,
  args: readonly string[],
  session: Session,
  group: Pick<CommandGroup, 'commandFlags' | 'misuseStatus'> & { values: FlagValues } = noGroup,
): Promise<number> {
  const { values: groupFlags, commandFlags = '', misuseStatus } = group;
  const { command } = await entry.load();
  const full = `gantry ${path}`;
  const usage = `${full} ${command.usage}`.trimEnd();
  let parsed: Parsed;
  try {
    parsed = parseFlags(
      declareFlags(`${command.flags}\n${commandFlags}`),
      args,
      command.interspersed ?? true,
    );
  } catch (error) {
    throw misused(error, full, usage, misuseStatus);
  }
  if (parsed.help) {
    const { commandHelp } = await import('./help.ts');
    session.out.write(commandHelp(path, command, helpWidth(session)));
    return 0;
  }
  const fault = arityFault(full, command.takes, parsed.rest.length);
  if (fault !== undefined) {
    // Docker's two ways of saying the same thing.
    const see = command.takes.max === Number.POSITIVE_INFINITY ? 'See' : 'Run';
    throw new ExitError(
      1,
      `gantry: ${fault}\n\nUsage:  ${usage}\n\n${see} '${full} --help' for more information`,
    );
  }
  try {
    const { values: flags, rest, dashAt } = parsed;
    const tries = commandFlags !== '' && (flags.on('dry-run') || groupFlags.on('dry-run'));
    const used = tries ? session.trying() : session;
    try {
      return (await command.run({ session: used, flags, groupFlags, args: rest, dashAt, path })) ?? 0;
    } finally {
      if (tries) used.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw misused(error, full, usage, misuseStatus);
    throw command.runsContainers ? failedRun(error, full) : error;
  }
}

async function helpAbout(words: readonly string[], session: Session): Promise<number> {
  const [name = '', subName] = words;
  const found = find(commandTree, name);
  const entry =
    found !== undefined && isGroup(found) && subName !== undefined ? find(found.commands, subName) : found;
  if (entry === undefined) throw new ExitError(1, `unknown help topic: ${words.join(' ')}`);
  return runNamed(name, subName === undefined ? ['--help'] : [subName, '--help'], session, false);
}

function find<T extends CommandEntry | CommandGroup>(tree: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(tree, name) ? tree[name] : undefined;
}

async function unknownCommand(typed: string, names: readonly string[], group: string): Promise<ExitError> {
  const { suggestions } = await import('./suggest.ts');
  const prefix = group === '' ? 'gantry' : `gantry ${group}`;
  const near = suggestions(typed, names);
  const meant =
    near.length === 0 ? '' : `\n\nDid you mean this?\n${near.map(name => `\t${name}`).join('\n')}`;
  const usage = group === '' ? '' : `\n\nUsage:  ${prefix}`;
  return new ExitError(
    1,
    `gantry: unknown command: ${prefix} ${typed}${meant}${usage}\n\nRun '${prefix} --help' for more information`,
  );
}

const noGroup = { values: new FlagValues([]) };

/** Wrong flags end with 125, as docker has it for all commands but those of compose. */
function misused(error: unknown, path: string, usage: string, status = 125): unknown {
  if (!(error instanceof UsageError)) return error;
  return new ExitError(
    status,
    `${error.message}\n\nUsage:  ${usage}\n\nRun '${path} --help' for more information`,
  );
}

/** `run` tells errors of the engine from exit codes of the container: 126 not executable, 127 not found, 125 all else. */
function failedRun(error: unknown, path: string): unknown {
  if (error instanceof ExitError) return error;
  const text = `gantry: ${told(error)}\n\nRun '${path} --help' for more information`;
  return new ExitError(startStatus(messageOf(error)), text);
}

function startStatus(message: string): number {
  if (
    /executable file not found|no such file or directory|system cannot find the file specified/.test(message)
  )
    return 127;
  if (/permission denied|is a directory/.test(message)) return 126;
  return 125;
}

function report(error: unknown, { err }: Surroundings): number {
  if (error instanceof ExitError) {
    if (error.message !== '') err.line(error.message);
    return error.exitCode;
  }
  err.line(told(error));
  return 1;
}

/** One line for people; the daemon's errors say that they are the daemon's. */
export function told(error: unknown): string {
  if (error instanceof ApiError) return `Error response from daemon: ${error.message}`;
  if (error instanceof EngineError) return error.message;
  return error instanceof Error && error.stack !== undefined && !('code' in error)
    ? error.stack
    : messageOf(error);
}

function helpWidth({ out }: { out: Surroundings['out'] }): number {
  // One less than there is, as docker has it.
  return (out.isTerminal ? out.columns : 80) - 1;
}
