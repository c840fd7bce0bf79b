import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runProgram } from './support/run-program.ts';

const repository = join(import.meta.dirname, '..');
const tool = (name: string): string => join(repository, 'node_modules/.bin', name);

async function passes(argv: string[]): Promise<void> {
  const outcome = await runProgram(argv, { cwd: repository, timeoutMs: 240_000 });
  assert.equal(outcome.code, 0, `\n${outcome.stdout}${outcome.stderr}`);
}

describe('checks', { concurrency: false }, () => {
  test('types: tsc finds nothing', () => passes([tool('tsc'), '--noEmit']));
  test('format and lint: biome finds nothing', () =>
    passes([tool('biome'), 'ci', '--max-diagnostics=50', '.']));
  test('unused code: knip finds nothing', () => passes([tool('knip'), '--no-progress']));
});
