import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { attribute, flag, nested, parseAttributes, readText, text, u8, u16, u32 } from './attributes.ts';

test('an attribute is length, type, value, padding', () => {
  assert.equal(text(3, 'lo').toString('hex'), '07000300' + '6c6f0000');
  assert.equal(u32(4, 1500).toString('hex'), '08000400' + 'dc050000');
  assert.equal(u16(4, 7).toString('hex'), '06000400' + '07000000');
  assert.equal(u8(9, 1).toString('hex'), '05000900' + '01000000');
  assert.equal(flag(9).toString('hex'), '04000900');
  assert.equal(nested(18, u8(1, 2)).toString('hex'), '0c001280' + '05000100' + '02000000');
});

test('what was written is read', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.nat(1000), fc.uint8Array()), { selector: ([type]) => type }),
      list => {
        const parsed = parseAttributes(Buffer.concat(list.map(([type, value]) => attribute(type, value))));
        assert.deepEqual(
          [...parsed].map(([type, value]) => [type, [...value]]),
          list.map(([type, value]) => [type, [...value]]),
        );
      },
    ),
  );
});

test('any bytes can be read without failing', () => {
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      parseAttributes(Buffer.from(bytes));
    }),
  );
});

test('text ends at its zero byte', () => {
  assert.equal(readText(Buffer.from('eth0\0')), 'eth0');
  assert.equal(readText(Buffer.from('eth0')), 'eth0');
});
