import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Lays a project's files out in a directory called `demo`, has it looked at, and takes it away again.
 * @returns what was made of it, with the directory written as `<directory>`
 */
export function inProject(
  files: string | Record<string, string>,
  look: (directory: string) => string,
): string {
  const scratch = mkdtempSync(join(tmpdir(), 'gantry-compose-'));
  const directory = join(scratch, 'demo');
  try {
    writeProject(directory, typeof files === 'string' ? { 'compose.yaml': files } : files);
    return look(directory).replaceAll(directory, '<directory>').replaceAll(scratch, '<scratch>');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export function writeProject(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}

/** What surrounds the loader in tests and docker compose while it is recorded. */
export const surroundings = { HOME: '/home/somebody', PATH: '/usr/bin:/bin' };

export const goldenDirectory = join(import.meta.dirname, 'golden');

export function goldenFile(name: string, kind: 'valid' | 'written' = 'valid'): string {
  return join(goldenDirectory, kind, `${name.replaceAll(' ', '-').toLowerCase()}.txt`);
}

/**
 * Projects whose `config --no-interpolate` is other than docker compose's: it makes lists of mappings that it merges, leaves
 * a single text for a list, and drops arguments of builds that have a name alone.
 */
export const otherAsWritten: ReadonlySet<string> = new Set([
  'every short form',
  'every long form',
  'an override file',
  'reset and override',
  'services that extend',
  'an override that says nothing',
  'extending one service of a file with others',
]);
