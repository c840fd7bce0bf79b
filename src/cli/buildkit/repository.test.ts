import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryAttributes } from './repository.ts';

test('what the repository of a context says of it', async context => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-repository-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const env = {
    PATH: process.env['PATH'],
    HOME: directory,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.com',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.com',
    GIT_COMMITTER_DATE: '2023-11-14T22:13:20Z',
  };
  const git = (...args: string[]) => execFileSync('git', args, { cwd: directory, env, encoding: 'utf8' });
  const app = join(directory, 'app');
  const ask = (more = {}) => repositoryAttributes(app, join(app, 'Dockerfile'), { ...env, ...more });
  mkdirSync(app);
  writeFileSync(join(app, 'Dockerfile'), 'FROM scratch\n');
  git('init', '--quiet');
  assert.deepEqual(await ask(), {}, 'there is no commit');
  git('add', 'app');
  git('commit', '--quiet', '--message=one');
  git('remote', 'add', 'origin', 'https://me:secret@example.com/app.git');
  const revision = git('rev-parse', 'HEAD').trim();
  const source = { 'vcs:source': 'https://example.com/app.git' };
  const clean = { 'vcs:revision': revision, ...source, 'gantry.commit-time': '1700000000' };
  assert.deepEqual(await ask(), clean);
  writeFileSync(join(directory, 'beside'), '');
  assert.deepEqual(await ask(), clean, 'what is not in the context does not count');
  assert.deepEqual(await ask({ BUILDX_GIT_INFO: 'false' }), {});
  writeFileSync(join(app, 'new'), '');
  assert.deepEqual(await ask(), { 'vcs:revision': `${revision}-dirty`, ...source });
});
