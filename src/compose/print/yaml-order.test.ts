import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yamlOrder } from './yaml-order.ts';

test('names are in the order of Go’s encoder', () => {
  const ordered = [
    ...['_', '😀', '1', '01', '9', '10', '010', 'A', 'a0b', 'a00b', 'a1', 'a1b', 'a01', 'a12'],
    ...['s', 's-a', 's1', 's2', 's10', 'sa', 'x', 'x-1', 'x.', 'x0', 'x00', 'x1', 'x1a', 'x01', 'x01a'],
    ...['x001', 'x10', 'x010', 'x100', 'x101', 'x1001'],
  ];
  assert.deepEqual([...ordered].reverse().sort(yamlOrder), ordered);
});
