import { readFileSync } from 'node:fs';
import { EngineError } from '../../stdx/errors.ts';
import { plainReason } from '../streams.ts';
import { argument } from './argument.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `--env-file`s first, then `--env`s; a name alone takes its value from our own environment, or is left out. */
export function planEnvironment(
  files: readonly string[],
  entries: readonly string[],
  own: Environment,
): string[] {
  const fromFiles = files.flatMap(file => readLines(file, true)).flatMap(line => resolveEntry(line, own));
  return [...fromFiles, ...entries.flatMap(entry => checked(entry, own))];
}

function checked(entry: string, own: Environment): string[] {
  return argument('-e, --env', entry, () => {
    if (entry === '' || entry.startsWith('='))
      throw new EngineError('invalid', `invalid environment variable: ${entry}`);
    return resolveEntry(entry, own);
  });
}

function resolveEntry(entry: string, own: Environment): string[] {
  if (entry.includes('=')) return [entry];
  const value = own[entry];
  return value === undefined ? [] : [`${entry}=${value}`];
}

/** `--label-file`s first, then `--label`s. A name alone is a label from the flag; in a file it is nothing. */
export function planLabels(files: readonly string[], labels: readonly string[]): Record<string, string> {
  const all = [
    ...files.flatMap(file => readLines(file, false)).filter(line => line.includes('=')),
    ...labels,
  ];
  return Object.fromEntries(
    all.map(label => {
      const equals = label.indexOf('=');
      return equals === -1 ? [label, ''] : [label.slice(0, equals), label.slice(equals + 1)];
    }),
  );
}

/** Lines without comments and blank ones; no quoting, no expansion. */
function readLines(path: string, names: boolean): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EngineError('invalid', `open ${path}: ${plainReason(error)}`, { cause: error });
  }
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map(line => line.trimStart())
    .filter(line => line !== '' && !line.startsWith('#'));
  for (const line of lines) {
    const name = line.split('=')[0]!;
    if (names && /\s/.test(name))
      throw new EngineError('invalid', `invalid env file (${path}): variable '${name}' contains whitespaces`);
    if (name === '')
      throw new EngineError('invalid', `invalid env file (${path}): no variable name on line '${line}'`);
  }
  return lines;
}
