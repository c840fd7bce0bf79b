import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CollectableImage, planCollection, unusedBytes } from './plan-collection.ts';

const digest = (name: string) => `sha256:${name.padEnd(64, '0')}` as const;

/** `base+top` with ten bytes each, last used at that time. */
function image(name: string, lastUsedMs: number, layers: string, inUse = false): CollectableImage {
  const chain = layers.split('+').map(layer => ({ chainId: digest(layer), bytes: 10 }));
  return { id: digest(name), layers: chain, lastUsedMs, inUse };
}

function plan(keepBytes: number, unusedForMs: number, ...images: CollectableImage[]): string[] {
  return planCollection(images, { keepBytes, unusedForMs }, 1000).map(id => id.slice(7).replace(/0+$/, ''));
}

test('the least recently used go until the rest fits', () => {
  const images = [image('c', 300, 'z'), image('a', 100, 'x'), image('b', 200, 'y')];
  assert.deepEqual(plan(30, 0, ...images), []);
  assert.deepEqual(plan(20, 0, ...images), ['a']);
  assert.deepEqual(plan(19, 0, ...images), ['a', 'b']);
  assert.deepEqual(plan(0, 0, ...images), ['a', 'b', 'c']);
});

test('what unused images take is counted once, and without what one in use needs', () => {
  assert.equal(unusedBytes([image('a', 1, 'x+y'), image('b', 2, 'x+z'), image('c', 3, 'z+w', true)]), 20);
});

test('what was used lately stays, however much there is', () => {
  assert.deepEqual(plan(0, 600, image('a', 100, 'x'), image('b', 500, 'y')), ['a']);
});

test('shared layers count once and go with the last image', () => {
  const images = [image('a', 100, 'x+y'), image('b', 200, 'x+z'), image('c', 300, 'x+y')];
  assert.deepEqual(plan(29, 0, ...images), ['a', 'b']);
  assert.deepEqual(plan(20, 0, ...images), ['a', 'b']);
});

test('images of containers stay, and what they need is not counted', () => {
  assert.deepEqual(plan(10, 0, image('a', 1, 'x', true), image('b', 100, 'x+y')), []);
  assert.deepEqual(plan(9, 0, image('a', 1, 'x', true), image('b', 100, 'x+y')), ['b']);
});
