import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountInfoLine } from './mount.ts';

test('a line of mountinfo is taken apart', () => {
  assert.deepEqual(
    parseMountInfoLine(
      '36 35 98:0 /mnt1 /a\\040b\\134c rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue',
    ),
    {
      id: 36,
      parentId: 35,
      device: '98:0',
      root: '/mnt1',
      mountPoint: '/a b\\c',
      options: ['rw', 'noatime'],
      propagation: ['master:1', 'shared:7'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    },
  );
  assert.deepEqual(parseMountInfoLine('1 0 0:1 / / rw - tmpfs none rw').propagation, []);
});
