import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What tests build once per machine lives here, outside the repository. */
export const cacheDirectory = process.env['GANTRY_TEST_CACHE'] ?? '/var/cache/gantry-test';

/**
 * The path of a cached file, built on first use. It is made in a scratch folder and renamed into place, so
 * that two test files that want it at the same time both see it whole or not at all.
 */
export async function cached(
  name: string,
  build: (target: string, scratch: string) => Promise<void>,
): Promise<string> {
  const path = join(cacheDirectory, name);
  if (existsSync(path)) return path;
  mkdirSync(cacheDirectory, { recursive: true });
  const scratch = mkdtempSync(join(cacheDirectory, '.building-'));
  try {
    const target = join(scratch, 'result');
    await build(target, scratch);
    renameSync(target, path);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return path;
}
