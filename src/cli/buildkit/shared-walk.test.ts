import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type FileRequest, FileSelection } from './file-selection.ts';
import { SharedWalk } from './shared-walk.ts';
import { rough, Visit } from './walk.ts';
import { type DigestRequest, sha256, WalkDigest } from './walk-digest.ts';

const walker = join(import.meta.dirname, 'walk-worker.ts');
let root = '';
before(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-walk-'));
});
after(() => rmSync(root, { recursive: true }));

function fill(directory: string, names: readonly string[]): void {
  mkdirSync(join(root, directory), { recursive: true });
  for (const name of names) writeFileSync(join(root, directory, name), '');
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `f${index}`);
const all: FileRequest = { include: [], exclude: [], follow: [] };
// Everything has long been as it is.
const request = (directory: string, files = all): DigestRequest => ({
  root: join(root, directory),
  files,
  nowMs: Date.now() + 3_600_000,
});

describe('a walk in two parts', () => {
  test('sees what one walk sees, each file once, and knows what was excluded above', () => {
    fill('parts', ['a', 'b', 'c', 'd']);
    fill('parts/m', ['a', 'b', 'c.log', 'd']);
    fill('parts/m/n', ['a', 'b', 'c', 'd.log']);
    fill('parts/m/n/o', ['a']);
    const place = join(root, 'parts');
    for (const exclude of [[], ['**/*.log'], ['m', '!m/n/d.log'], ['*', '!m/n']]) {
      const visit = (branches?: ReturnType<Visit<never>['leave']>) =>
        new Visit(place, new FileSelection(place, { ...all, exclude }), rough, branches);
      const rest = (files: ReturnType<typeof visit>) => {
        const paths: string[] = [];
        for (let file = files.next(); file !== undefined; file = files.next()) paths.push(file.path);
        return paths;
      };
      const whole = rest(visit());
      for (let count = 0; count <= whole.length; count++) {
        const files = visit();
        const first = Array.from({ length: count }, () => files.next()!.path);
        const left = visit(files.leave(0.5));
        const parts = [...first, ...rest(files), ...rest(left)];
        assert.deepEqual(parts.sort(), [...whole].sort(), `${exclude} after ${count}`);
      }
    }
  });

  test('has one digest, whoever walks the second', async () => {
    fill('many', numbered(8300));
    const digestOf = async (program: string | undefined) => {
      const walk = new SharedWalk(request('many'), program);
      try {
        return (await walk.digest()).toString('hex');
      } finally {
        walk.end();
      }
    };
    const faulty = join(root, 'faulty.mjs');
    writeFileSync(faulty, 'throw new Error("no walk");');
    const alone = await digestOf(undefined);
    assert.equal(await digestOf(walker), alone);
    assert.equal(await digestOf(faulty), alone);
    assert.equal(await digestOf(join(root, 'none')), alone);
    const firstPart = new WalkDigest(request('many'));
    firstPart.walk(8192);
    const seen = firstPart.whole().toString('latin1').split('\0');
    writeFileSync(join(root, 'many', seen[1]!), 'x');
    const firstChanged = await digestOf(undefined);
    assert.notEqual(firstChanged, alone);
    const [second] = firstPart.leave(0.45);
    writeFileSync(join(root, 'many', second!.names[0]!), 'x');
    assert.notEqual(await digestOf(undefined), firstChanged);
  });

  test('the thread comes to the same bytes', async () => {
    fill('some', numbered(10));
    const workerData = { ...request('some'), branches: [{ prefix: '', names: ['f3', 'f7'] }] };
    const digest = new WalkDigest(workerData);
    assert.equal(digest.walk(10), false);
    assert.equal(digest.files, 2);
    const [told] = await once(new Worker(walker, { workerData }), 'message');
    assert.deepEqual(Buffer.from(told as Uint8Array), sha256(digest.whole()));
  });
});
