import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Project } from '../../compose/project.ts';
import { inBuildOrder } from './build-order.ts';

function project(sources: Readonly<Record<string, readonly string[]>>): Project {
  const services = Object.entries(sources).map(([name, others]) => {
    const contexts = others.map((other, at) => [`c${at}`, `service:${other}`]);
    return [name, { build: { context: '.', additional_contexts: Object.fromEntries(contexts) } }];
  });
  return { name: 'p', services: Object.fromEntries(services) } as Project;
}

test('what waits for nothing is begun at once, the rest as soon as it can', async () => {
  const events: string[] = [];
  const ends = new Map<string, () => void>();
  const all = inBuildOrder(project({ app: ['base'], base: [], other: [] }), ['app', 'other'], async name => {
    events.push(`begin ${name}`);
    await new Promise<void>(resolve => ends.set(name, resolve));
    events.push(`end ${name}`);
    return name.toUpperCase();
  });
  const turn = () => new Promise(resolve => setImmediate(resolve));
  await turn();
  assert.deepEqual(events, ['begin base', 'begin other']);
  ends.get('base')!();
  await turn();
  assert.deepEqual(events.slice(2), ['end base', 'begin app']);
  ends.get('app')!();
  ends.get('other')!();
  assert.deepEqual(await all, { base: 'BASE', app: 'APP', other: 'OTHER' });
});

test('after a failure nothing that needs it is begun, and what runs is waited for', async () => {
  const ended: string[] = [];
  const all = inBuildOrder(project({ app: ['base'], base: [], other: [] }), ['app', 'other'], async name => {
    await new Promise(resolve => setImmediate(resolve));
    if (name === 'base') throw new Error('no base');
    await new Promise(resolve => setImmediate(resolve));
    ended.push(name);
  });
  await assert.rejects(all, /no base/);
  assert.deepEqual(ended, ['other']);
});

test('images that need each other are refused before anything is done', async () => {
  const never = () => assert.fail('nothing is to be done');
  await assert.rejects(inBuildOrder(project({ a: ['b'], b: ['a'] }), ['a'], never), {
    message: 'dependency cycle detected: a -> b -> a',
  });
});
