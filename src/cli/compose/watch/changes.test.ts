import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Project, WatchRule } from '../../../compose/project.ts';
import { planReactions } from './changes.ts';
import { watchedRules } from './rules.ts';

const context = mkdtempSync(join(tmpdir(), 'gantry-rules-'));
after(() => rmSync(context, { recursive: true }));
mkdirSync(join(context, 'src'));
writeFileSync(join(context, '.dockerignore'), 'src/secret\n*.log\n');

function project(...rules: WatchRule[]): Project {
  return {
    name: 'p',
    services: { web: { build: { context }, develop: { watch: rules } }, other: { image: 'b' } },
  };
}
const src = join(context, 'src');

/** What changes below the only rule's path lead to. */
function reactions(rule: Partial<WatchRule>, ...below: string[]) {
  const [watched] = watchedRules(project({ path: src, action: 'sync', target: '/app/src', ...rule }), [
    'web',
  ]);
  return planReactions(below.map(one => ({ rule: watched!, below: one })));
}
const synced = (rule: Partial<WatchRule>, ...below: string[]) =>
  reactions(rule, ...below).flatMap(({ sync }) => [...sync.values()]);

test('a file goes to its place below the target', () => {
  assert.deepEqual(synced({}, 'a', 'deep/b c', ''), ['/app/src/a', '/app/src/deep/b c', '/app/src']);
  assert.deepEqual(synced({ target: '/app/' }, 'a'), ['/app/a']);
  assert.deepEqual([...reactions({}, 'a')[0]!.sync.keys()], [join(src, 'a')]);
});

test('what is ignored by the rule, by the context or by everybody does nothing', () => {
  assert.deepEqual(
    synced({ ignore: ['node_modules/', '*.tmp', '!kept.tmp'] }, 'node_modules/a/b', 'x.tmp'),
    [],
  );
  assert.deepEqual(synced({ ignore: ['*.tmp', '!kept.tmp'] }, 'kept.tmp'), ['/app/src/kept.tmp']);
  assert.deepEqual(synced({}, 'secret', 'secret/a'), []);
  // Patterns of .dockerignore are the context's, not the rule's.
  assert.deepEqual(synced({}, 'a.log'), ['/app/src/a.log']);
  assert.deepEqual(synced({}, 'a~', '.a.swp', 'd/.git/x', '4913', '.#a', 'd/#a#'), []);
  assert.deepEqual(synced({}, 'swp', '.gitignore', '4913.txt'), [
    '/app/src/swp',
    '/app/src/.gitignore',
    '/app/src/4913.txt',
  ]);
});

test('only what is included counts, where something is', () => {
  const include = ['**/*.ts', 'views'];
  assert.deepEqual(
    synced({ include, ignore: ['dist'] }, 'a.ts', 'deep/b.ts', 'c.js', 'views/x.html', 'dist/d.ts'),
    ['/app/src/a.ts', '/app/src/deep/b.ts', '/app/src/views/x.html'],
  );
});

test('directories are left out as a whole only where nothing below them can count', () => {
  const skips = (rule: Partial<WatchRule>, below: string) =>
    watchedRules(project({ path: src, action: 'rebuild', ...rule }), ['web'])[0]!.skips(below);
  assert.equal(skips({ ignore: ['node_modules'] }, 'node_modules'), true);
  assert.equal(skips({ ignore: ['node_modules', '!node_modules/mine'] }, 'node_modules'), false);
  assert.equal(skips({ include: ['**/*.ts'] }, 'deep'), false);
  assert.equal(skips({}, '.git'), true);
});

test('rules add up for a service; being rebuilt goes before all else', () => {
  const exec = { command: ['reload'] };
  const rules = watchedRules(
    project(
      { path: src, action: 'sync', target: '/app' },
      { path: join(context, 'conf'), action: 'sync+restart', target: '/etc/conf' },
      { path: join(context, 'hook'), action: 'sync+exec', target: '/hook', exec },
      { path: join(context, 'package.json'), action: 'rebuild' },
    ),
    ['web', 'other'],
  );
  const [first, second, third, fourth] = rules;
  const some = [
    { rule: first!, below: 'a' },
    { rule: second!, below: '' },
    { rule: third!, below: '' },
    { rule: third!, below: '' },
  ];
  assert.deepEqual(planReactions(some), [
    {
      service: 'web',
      rebuild: false,
      sync: new Map([
        [join(src, 'a'), '/app/a'],
        [join(context, 'conf'), '/etc/conf'],
        [join(context, 'hook'), '/hook'],
      ]),
      restart: true,
      execs: [exec],
    },
  ]);
  assert.deepEqual(planReactions([...some, { rule: fourth!, below: '' }]), [
    { service: 'web', rebuild: true, sync: new Map(), restart: false, execs: [] },
  ]);
});

test('what cannot be watched is refused', () => {
  assert.throws(
    () => watchedRules(project(), ['web', 'other']),
    /^EngineError: none of the selected services is/,
  );
  const imageOnly: Project = {
    name: 'p',
    services: { a: { image: 'b', develop: { watch: [{ path: src, action: 'rebuild' }] } } },
  };
  assert.throws(
    () => watchedRules(imageOnly, ['a']),
    /can't watch service "a" with action rebuild without a build/,
  );
});
