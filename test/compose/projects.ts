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

export function goldenFile(name: string): string {
  return join(goldenDirectory, 'valid', `${name.replaceAll(' ', '-').toLowerCase()}.txt`);
}
