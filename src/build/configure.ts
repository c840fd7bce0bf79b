import { constants } from 'node:os';
import { posix } from 'node:path';
import type { ImageRunConfig } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { formatGoDuration } from '../stdx/go-duration.ts';
import { expandWord, expandWords } from './dockerfile/expand.ts';
import type {
  Command,
  HealthcheckInstruction,
  Instruction,
  InstructionOf,
} from './dockerfile/instructions.ts';
import { parsePorts } from './ports.ts';
import { type BuildState, envOf, historyComment, lookupIn, shellOf, withConfig } from './state.ts';

/** Instructions that change the image's configuration and nothing else. */
export type ConfigInstruction = Exclude<
  Instruction,
  { kind: 'FROM' } | { kind: 'RUN' } | { kind: 'COPY' | 'ADD' } | { kind: 'WORKDIR' }
>;

export interface ConfigureContext {
  escapeToken: string;
  buildArgs: Record<string, string | null>;
  /** Values for `ARG name` without a default: global ARGs and the platform's. */
  globalArgs: ReadonlyMap<string, string>;
  /** As in BuildRequest; otherwise CMD and ENTRYPOINT with nothing after them give the shell no line. */
  asBuildKit?: boolean;
}

/** The state after an instruction, with its line of history in BuildKit's words. @throws EngineError `invalid` */
export function configure(
  state: BuildState,
  instruction: ConfigInstruction,
  context: ConfigureContext,
): BuildState {
  const { config } = state;
  const lookup = lookupIn(state);
  const expand = (word: string): string => expandWord(word, lookup, context.escapeToken);
  switch (instruction.kind) {
    case 'ENV':
      return configureEnv(state, instruction, expand);
    case 'ARG':
      return configureArg(state, instruction, context);
    case 'LABEL':
      return configureLabel(state, instruction, expand);
    case 'USER': {
      const user = expand(instruction.user);
      return withConfig(state, { User: user }, `USER ${user}`);
    }
    case 'EXPOSE': {
      const words = instruction.ports.flatMap(port => expandWords(port, lookup, context.escapeToken));
      const ports = parsePorts(words);
      const exposed = Object.fromEntries(ports.map(port => [port, {}]));
      const createdBy = `EXPOSE [${ports.toSorted().join(' ')}]`;
      return withConfig(state, { ExposedPorts: { ...config.ExposedPorts, ...exposed } }, createdBy);
    }
    case 'VOLUME': {
      const paths = instruction.paths.map(expand);
      if (paths.includes('')) throw new EngineError('invalid', 'VOLUME specified can not be an empty string');
      const volumes = Object.fromEntries(paths.map(path => [path, {}]));
      return withConfig(state, { Volumes: { ...config.Volumes, ...volumes } }, `VOLUME [${paths.join(' ')}]`);
    }
    case 'CMD': {
      const { shell, args: words } = instruction.command;
      const args = shell ? [...shellOf(config), ...shellWords(words, context)] : words;
      return {
        ...withConfig(state, { Cmd: args, ArgsEscaped: true }, `CMD ${quoteList(args)}`),
        cmdSet: true,
      };
    }
    case 'ENTRYPOINT': {
      const { shell, args: words } = instruction.command;
      const command = shell ? { shell, args: shellWords(words, context) } : instruction.command;
      const args = commandLine(command, config);
      const cmd = state.cmdSet ? {} : { Cmd: undefined };
      return withConfig(state, { Entrypoint: args, ...cmd }, `ENTRYPOINT ${quoteList(args)}`);
    }
    case 'SHELL':
      return withConfig(state, { Shell: instruction.shell }, `SHELL [${instruction.shell.join(' ')}]`);
    case 'STOPSIGNAL': {
      const signal = expand(instruction.signal);
      if (!isSignal(signal)) throw new EngineError('invalid', `Invalid signal: ${signal}`);
      return withConfig(state, { StopSignal: signal }, `STOPSIGNAL ${signal}`);
    }
    case 'HEALTHCHECK':
      return withConfig(state, { Healthcheck: healthcheckOf(instruction) }, describeHealthcheck(instruction));
    case 'ONBUILD': {
      const onBuild = [...(config.OnBuild ?? []), instruction.expression];
      return { ...state, config: { ...config, OnBuild: onBuild } };
    }
    case 'MAINTAINER':
      return {
        ...withConfig(state, {}, `MAINTAINER ${instruction.maintainer}`),
        author: instruction.maintainer,
      };
  }
}

/** Where WORKDIR leads: an absolute path as it is written, else relative to the one before; nothing is that one. */
export function workingDirectory(state: BuildState, path: string, escapeToken: string): string {
  const expanded = expandWord(path, lookupIn(state), escapeToken);
  if (expanded.startsWith('/')) return expanded;
  if (expanded === '') return state.config.WorkingDir || '/';
  return posix.resolve('/', state.config.WorkingDir ?? '', expanded);
}

/** To BuildKit nothing is an empty line. */
function shellWords(words: string[], { asBuildKit }: ConfigureContext): string[] {
  return asBuildKit && words.length === 0 ? [''] : words;
}

/** What a CMD, ENTRYPOINT or RUN executes. */
export function commandLine(command: Command, config: ImageRunConfig): string[] {
  return command.shell && command.args.length > 0 ? [...shellOf(config), ...command.args] : command.args;
}

/** A number but 0, or a name with or without SIG (moby, pkg/signal). */
function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) > 0;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (/^RT(MIN(\+([1-9]|1[0-5]))?|MAX(-([1-9]|1[0-4]))?)$/.test(name)) return true;
  return name === 'CLD' || Object.hasOwn(constants.signals, `SIG${name}`);
}

function configureEnv(
  state: BuildState,
  instruction: InstructionOf<'ENV'>,
  expand: (word: string) => string,
): BuildState {
  const env = envOf(state.config);
  // All values see the variables as they were before the instruction.
  const pairs = instruction.pairs.map(({ key, value }) => ({ key: expand(key), value: expand(value) }));
  for (const { key, value } of pairs) env.set(key, value);
  const text = pairs.map(({ key, value }) => `${key}=${value}`).join(' ');
  const args = new Map(state.args);
  for (const { key, value } of pairs) if (args.has(key)) args.set(key, value);
  const changed = { Env: [...env].map(([key, value]) => `${key}=${value}`) };
  return { ...withConfig(state, changed, `ENV ${text}`), args };
}

function configureLabel(
  state: BuildState,
  instruction: InstructionOf<'LABEL'>,
  expand: (word: string) => string,
): BuildState {
  const pairs = instruction.pairs.map(({ key, value }) => [expand(key), expand(value)] as const);
  const text = pairs.map(([key, value]) => `${key}=${value}`).join(' ');
  return withConfig(
    state,
    { Labels: { ...state.config.Labels, ...Object.fromEntries(pairs) } },
    `LABEL ${text}`,
  );
}

/**
 * A given build argument wins over the default; without either a global ARG of that name is taken over. One without any
 * value leaves an ENV of that name as it is.
 */
function configureArg(
  state: BuildState,
  instruction: InstructionOf<'ARG'>,
  context: ConfigureContext,
): BuildState {
  const args = new Map(state.args);
  const words = instruction.args.map(({ name, defaultValue }) => {
    const written =
      defaultValue === undefined
        ? undefined
        : expandWord(defaultValue, lookupIn({ ...state, args }), context.escapeToken);
    const value = context.buildArgs[name] ?? written ?? context.globalArgs.get(name);
    // Declared again without a value it stays what it was.
    if (value !== undefined || !args.has(name)) args.set(name, value);
    return value === undefined ? name : `${name}=${value}`;
  });
  const entry = { created_by: `ARG ${words.join(' ')}`, comment: historyComment, empty_layer: true };
  return { ...state, args, history: [...state.history, entry] };
}

function healthcheckOf(instruction: HealthcheckInstruction) {
  const { test, intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = instruction;
  return {
    Test: test,
    ...(intervalNs === 0 ? {} : { Interval: intervalNs }),
    ...(timeoutNs === 0 ? {} : { Timeout: timeoutNs }),
    ...(startPeriodNs === 0 ? {} : { StartPeriod: startPeriodNs }),
    ...(startIntervalNs === 0 ? {} : { StartInterval: startIntervalNs }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}

/** Go's `%q` of BuildKit's struct: durations are quoted texts, the count is a quoted character. */
function describeHealthcheck(check: HealthcheckInstruction): string {
  const times = [check.intervalNs, check.timeoutNs, check.startPeriodNs, check.startIntervalNs];
  const quoted = times.map(valueNs => `"${formatGoDuration(valueNs)}"`).join(' ');
  return `HEALTHCHECK &{${quoteList(check.test)} ${quoted} ${quoteCharacter(check.retries)}}`;
}

function quoteCharacter(code: number): string {
  const named: Record<number, string> = {
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
  };
  if (named[code] !== undefined) return `'${named[code]}'`;
  if (code < 32 || code === 127) return `'\\x${code.toString(16).padStart(2, '0')}'`;
  return code === 39 || code === 92 ? `'\\${String.fromCodePoint(code)}'` : `'${String.fromCodePoint(code)}'`;
}

/** Go's `%q` of a list of strings: `["nginx" "-g"]`. JSON's escapes are Go's for all that is common. */
function quoteList(values: readonly string[]): string {
  return `[${values.map(value => JSON.stringify(value)).join(' ')}]`;
}
