import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { IN_CREATE, IN_MOVED_TO } from '../../src/linux/constants.ts';
import { watchDirectory } from '../../src/linux/inotify.ts';
import { createPipe, readToEnd, runProgram, spawnProcess, waitForExit } from '../../src/linux/spawn.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'linux-spawn-')));
after(() => rmSync(root, { recursive: true }));

test('a program gets its arguments, environment, directory and descriptors, and nothing else', async () => {
  const { readFd, writeFd } = createPipe('read');
  const secret = openSync('/etc/passwd', 'r');
  const script = 'echo "$0|$1|$A|$PWD"; ls /proc/self/fd; grep -E "Sig(Ign|Blk)" /proc/self/status >&3';
  const pid = spawnProcess({
    path: '/bin/sh',
    args: ['sh', '-c', script, 'zero', 'one two'],
    env: { A: 'b=c', PATH: '/bin' },
    cwd: root,
    descriptors: [null, writeFd, writeFd, writeFd],
  });
  closeSync(writeFd);
  const lines = (await readToEnd(readFd)).toString().trim().split('\n');
  assert.equal(await waitForExit(pid), 0);
  closeSync(secret);
  assert.deepEqual(lines, [`zero|one two|b=c|${root}`, '0', '1', '2', '3', '4', ...lines.slice(6)]);
  assert.deepEqual(lines.slice(6), ['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000']);
});

test('exit codes and signals are told; a missing program is an error', async () => {
  assert.deepEqual(await runProgram('/bin/sh', ['-c', 'echo out; echo err >&2; exit 3']), {
    exitCode: 3,
    output: 'out\nerr\n',
  });
  assert.equal((await runProgram('/bin/sh', ['-c', 'kill -9 $$'])).exitCode, 137);
  await assert.rejects(runProgram(join(root, 'missing'), []), { code: 'ENOENT' });
  assert.doesNotMatch(readFileSync('/proc/self/status', 'utf8'), /State:\s+Z/);
});

test('a directory is watched', async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = watchDirectory(root, IN_CREATE | IN_MOVED_TO, event => {
    seen.push(event.name);
    if (event.name === 'last') resolve();
  });
  const keepAlive = setInterval(() => {}, 1000);
  writeFileSync(join(root, 'first'), '');
  writeFileSync(join(root, 'last'), '');
  await promise;
  clearInterval(keepAlive);
  stop();
  assert.deepEqual(seen, ['first', 'last']);
  assert.throws(() => watchDirectory(join(root, 'none'), IN_CREATE, () => {}), { code: 'ENOENT' });
});
