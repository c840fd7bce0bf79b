import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, within } from '../../stdx/errors.ts';
import { parseDotenv } from './dotenv.ts';
import type { Lookup } from './substitution.ts';

/**
 * The variables for a project's files: those of the named env files, or of `.env` beside the project.
 * @param surroundings what values in them may use, and what counts before them
 * @param warn is told of variables in them that are not set
 * @throws EngineError notFound for a named file that is not there
 */
export function readEnvFiles(
  files: readonly string[],
  directory: string,
  surroundings: ReadonlyMap<string, string>,
  warn: (message: string) => void,
): Map<string, string> {
  const variables = new Map<string, string>();
  const usual = join(directory, '.env');
  const read = files.length > 0 ? files : existsSync(usual) && !statSync(usual).isDirectory() ? [usual] : [];
  for (const file of read) {
    if (!existsSync(file)) throw new EngineError('notFound', `couldn't find env file: ${file}`);
    if (statSync(file).isDirectory()) throw new EngineError('invalid', `${file} is a directory`);
    readInto(file, variables, name => surroundings.get(name), { warn });
  }
  return variables;
}

interface ReadOptions {
  /** `raw`: values are taken as they are. */
  format?: string | undefined;
  /** Is told of variables that are not set. */
  warn?(message: string): void;
}

/** One env file of a service, or its label file. */
export function readInto(
  file: string,
  variables: Map<string, string>,
  lookup: Lookup,
  { format, warn }: ReadOptions = {},
): void {
  try {
    const text = readFileSync(file, 'utf8');
    if (format === 'raw') readRaw(text, variables, lookup);
    else parseDotenv(text, variables, lookup, name => warn?.(unsetVariable(name)));
  } catch (error) {
    throw within(`failed to read ${file}`, error);
  }
}

export function unsetVariable(name: string): string {
  return `The "${name}" variable is not set. Defaulting to a blank string.`;
}

/** Docker's `--env-file` format: no quotes, no variables. */
function readRaw(text: string, variables: Map<string, string>, lookup: Lookup): void {
  for (const line of text.split(/\r?\n/)) {
    const start = line.trimStart();
    if (start === '' || start.startsWith('#')) continue;
    const equals = start.indexOf('=');
    const name = equals === -1 ? start.trim() : start.slice(0, equals);
    if (/\s/.test(name)) throw new EngineError('invalid', `variable '${name}' contains whitespaces`);
    const value = equals === -1 ? lookup(name) : start.slice(equals + 1);
    if (value !== undefined) variables.set(name, value);
  }
}
