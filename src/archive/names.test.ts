import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { asPath, decodeName, encodeName } from './names.ts';

suite('names', () => {
  test('every sequence of bytes makes a round trip', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes =>
        assert.deepEqual(encodeName(decodeName(Buffer.from(bytes))), Buffer.from(bytes)),
      ),
    );
  });

  test('every proper string stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), name => assert.equal(decodeName(encodeName(name)), name)),
    );
    assert.equal(asPath('grün'), 'grün');
    assert.deepEqual(asPath('\udcff'), Buffer.of(0xff));
  });

  test('surrogates and overlong forms in UTF-8 are bytes', () => {
    for (const hex of ['eda080', 'c080', 'f8808080', 'e282']) {
      const bytes = Buffer.from(hex, 'hex');
      assert.deepEqual(encodeName(decodeName(bytes)), bytes);
    }
  });
});
