import assert from 'node:assert/strict';
import test from 'node:test';
import { naturalOrder } from './natural-order.ts';

/** As `docker volume ls -q` has them. */
const listed = '00 1a 2x 10 AA a1 a01 a2b3 a2b10 a02 a10 aA aa'.split(' ');

test('names are in the order docker lists them', () => {
  for (const step of [1, 2, 5, 12]) {
    const mixed = listed.map((_, index) => listed[(index * step + 4) % listed.length]!);
    assert.deepEqual(mixed.sort(naturalOrder), listed);
  }
});
