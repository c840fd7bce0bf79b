import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yamlOrder } from './yaml-order.ts';

test('names are in the order of Go’s encoder', () => {
  const names = ['s10', 's2', 's1', 's', 'sa', 's-a', 'a1b', 'a1', 'a12', 'A', '10', '9', 'x01', 'x1', '_'];
  assert.deepEqual([...names].sort(yamlOrder), [
    '_',
    '9',
    '10',
    'A',
    'a1',
    'a1b',
    'a12',
    's',
    's-a',
    's1',
    's2',
    's10',
    'sa',
    'x01',
    'x1',
  ]);
});
