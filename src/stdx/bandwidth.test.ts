import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBandwidth } from './bandwidth.ts';

test('directions and units', () => {
  assert.deepEqual(parseBandwidth('up=10mbit,down=50mbit'), { up: 10e6, down: 50e6 });
  assert.deepEqual(parseBandwidth('down=1.5GBIT'), { down: 1.5e9 });
  assert.deepEqual(parseBandwidth('up=64000bit, down=0'), { up: 64000, down: 0 });
});

test('what says nothing clear is refused', () => {
  for (const text of [
    '',
    '10mbit',
    'up=10',
    'up=10mb',
    'left=1mbit',
    'up=1mbit,up=2mbit',
    'up=-1mbit',
    'up=1bit',
    'up=2000gbit',
  ]) {
    assert.throws(() => parseBandwidth(text), { kind: 'invalid', message: /^invalid network bandwidth/ });
  }
});
