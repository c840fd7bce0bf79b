import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import { readEnvFiles } from './environment.ts';

const fileNames = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const overrideNames = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** The global flags of `compose`, and what surrounds the program. */
export interface SourceOptions {
  /** `-f`; `-` is standard input. */
  files: readonly string[];
  projectDirectory?: string | undefined;
  envFiles: readonly string[];
  projectName?: string | undefined;
  profiles: readonly string[];
  parallel?: number | undefined;
  /** `--compatibility`; undefined: as a variable says. */
  compatibility?: boolean | undefined;
  workingDirectory: string;
  environment: Readonly<Record<string, string | undefined>>;
  warn(message: string): void;
}

/** Which files make a project, and what they are read with. */
export interface Sources {
  /** Absolute, but for `-`. Empty when there is none. */
  files: string[];
  directory: string;
  /** The surroundings' variables over those of the env files. */
  environment: Map<string, string>;
  envFiles: string[];
  /** From flags or variables; otherwise the files or the directory say it. */
  name: string | undefined;
  profiles: string[];
  /** How many things may be done at once; undefined: all that can be. */
  parallel: number | undefined;
  /** Names of containers and images are those of docker-compose 1. */
  compatibility?: boolean;
}

/**
 * Finds a project's files: those named by flags or by COMPOSE_FILE, or `compose.yaml` and its override in this
 * directory or one above.
 * @throws EngineError invalid for a bad name, notFound for a named file that is not there
 */
export function findSources(options: SourceOptions): Sources {
  const surroundings = new Map(
    Object.entries(options.environment).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    ),
  );
  const absolute = (path: string) => (path === '-' ? path : resolve(options.workingDirectory, path));
  const given = options.projectDirectory === undefined ? undefined : absolute(options.projectDirectory);
  const envFiles = envFilesOf(options, surroundings).map(absolute);
  // COMPOSE_FILE and its like may come from the env file, which lies beside the files, or here.
  const firstFile = options.files.find(file => file !== '-');
  const near = given ?? (firstFile === undefined ? options.workingDirectory : dirname(absolute(firstFile)));
  const usesUsual = !isTrue(surroundings.get('COMPOSE_DISABLE_ENV_FILE'));
  const warned = new Set<string>();
  const warnOnce = (message: string) => {
    if (!warned.has(message)) options.warn(message);
    warned.add(message);
  };
  const read = (directory: string) => {
    if (envFiles.length === 0 && !usesUsual) return new Map(surroundings);
    return new Map([...readEnvFiles(envFiles, directory, surroundings, warnOnce), ...surroundings]);
  };
  let environment = withoutDisabled(read(near), surroundings);
  const named = options.files.length > 0 ? options.files : filesOfEnvironment(environment);
  const files =
    named.length > 0 ? named.map(absolute) : findFiles(given ?? options.workingDirectory, options.warn);
  for (const file of files)
    if (file !== '-' && !existsSync(file))
      throw new EngineError('notFound', `open ${file}: no such file or directory`);
  const main = files.find(file => file !== '-');
  const directory = given ?? (main === undefined ? options.workingDirectory : dirname(main));
  if (directory !== near) environment = new Map([...read(directory), ...environment]);
  return {
    files,
    directory,
    environment,
    envFiles,
    name: chosenName(options.projectName || environment.get('COMPOSE_PROJECT_NAME')),
    profiles:
      options.profiles.length > 0 ? [...options.profiles] : splitList(environment.get('COMPOSE_PROFILES')),
    compatibility: options.compatibility ?? isTrue(environment.get('COMPOSE_COMPATIBILITY')),
    parallel: parallelism(options.parallel, environment.get('COMPOSE_PARALLEL_LIMIT')),
  };
}

/** An env file may say that it does not count: then only what is for Compose itself is taken from it. */
function withoutDisabled(
  environment: Map<string, string>,
  surroundings: ReadonlyMap<string, string>,
): Map<string, string> {
  const name = 'COMPOSE_DISABLE_ENV_FILE';
  if (surroundings.has(name) || !isTrue(environment.get(name))) return environment;
  return new Map([...environment].filter(([key]) => key.startsWith('COMPOSE_') || surroundings.has(key)));
}

function parallelism(asked: number | undefined, written: string | undefined): number | undefined {
  if (asked === undefined && !written) return undefined;
  const limit = asked ?? Number(written);
  if (!Number.isInteger(limit))
    throw new EngineError(
      'invalid',
      `COMPOSE_PARALLEL_LIMIT must be an integer (found: ${JSON.stringify(written)})`,
    );
  return limit > 0 ? limit : undefined;
}

function envFilesOf(options: SourceOptions, surroundings: ReadonlyMap<string, string>): string[] {
  return options.envFiles.length > 0
    ? [...options.envFiles]
    : splitList(surroundings.get('COMPOSE_ENV_FILES'));
}

function filesOfEnvironment(environment: ReadonlyMap<string, string>): string[] {
  const list = environment.get('COMPOSE_FILE');
  return list ? list.split(environment.get('COMPOSE_PATH_SEPARATOR') || ':') : [];
}

function findFiles(start: string, warn: (message: string) => void): string[] {
  for (let directory = start; ; directory = dirname(directory)) {
    const found = existing(fileNames, directory);
    if (found.length > 0) {
      const overrides = existing(overrideNames, directory);
      warnOfMany('config', found, warn);
      warnOfMany('override', overrides, warn);
      return [found[0]!, ...overrides.slice(0, 1)];
    }
    if (directory === dirname(directory)) return [];
  }
}

function existing(names: readonly string[], directory: string): string[] {
  return names.map(name => join(directory, name)).filter(path => existsSync(path));
}

function warnOfMany(kind: string, found: readonly string[], warn: (message: string) => void): void {
  if (found.length < 2) return;
  warn(`Found multiple ${kind} files with supported names: ${found.join(', ')}`);
  warn(`Using ${found[0]}`);
}

function chosenName(name: string | undefined): string | undefined {
  if (name === undefined || name === '') return undefined;
  if (normaliseName(name) !== name) {
    throw new EngineError(
      'invalid',
      `invalid project name ${JSON.stringify(name)}: must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
    );
  }
  return name;
}

/** What is left of a text when it is made a project's name. */
export function normaliseName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
}

export function nameOfDirectory(directory: string): string {
  return normaliseName(basename(directory));
}

function splitList(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '');
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|t|true)$/i.test(text);
}
