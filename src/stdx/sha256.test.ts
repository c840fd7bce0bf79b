import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256OfText } from './sha256.ts';

test('it is what node:crypto says', () => {
  const theirs = (text: string) => createHash('sha256').update(text).digest('hex');
  for (let length = 0; length < 200; length++) {
    const text = 'a'.repeat(length);
    assert.equal(sha256OfText(text), theirs(text), `${length} letters`);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), text => assert.equal(sha256OfText(text), theirs(text))),
  );
  const long = 'ä€😀'.repeat(20_000);
  assert.equal(sha256OfText(long), theirs(long));
});
