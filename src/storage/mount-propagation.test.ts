import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MountEntry } from '../linux/mount.ts';
import { mountOf } from './mount-propagation.ts';

const entry = (id: number, mountPoint: string): MountEntry => ({
  id,
  parentId: 1,
  device: '0:1',
  root: '/',
  mountPoint,
  options: [],
  propagation: [],
  type: 'tmpfs',
  source: 'tmpfs',
  superOptions: [],
});

test('the mount a path lies on is the deepest, and of several the latest', () => {
  const mounts = [entry(1, '/'), entry(2, '/a'), entry(3, '/a/b'), entry(4, '/a')];
  const idOf = (path: string) => mountOf(path, mounts)?.id;
  assert.deepEqual(['/', '/ab', '/a', '/a/c', '/a/b/c'].map(idOf), [1, 1, 4, 4, 3]);
  assert.equal(mountOf('/a', []), undefined);
});
