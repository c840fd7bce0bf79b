import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeEscaped } from './json-line.ts';

function escaped(text: Buffer): string {
  const into = Buffer.alloc(text.length * 6);
  return into.toString('utf8', 0, writeEscaped(text, into, 0));
}

test('what is escaped, and how', () => {
  assert.equal(
    escaped(Buffer.from('a"b\\c<d>&\n\r\t\u007f')),
    'a\\"b\\\\c\\u003cd\\u003e\\u0026\\n\\r\\u0009\u007f',
  );
  assert.equal(escaped(Buffer.from('é€😀\u2028\u2029')), 'é€😀\\u2028\\u2029');
});

test('every byte that is no UTF-8 is replaced by itself', () => {
  const cases: [number[], string][] = [
    [[0xff, 0x41], '\\ufffdA'],
    [[0xe2, 0x82], '\\ufffd\\ufffd'],
    [[0xc0, 0x80], '\\ufffd\\ufffd'],
    [[0xed, 0xa0, 0x80], '\\ufffd\\ufffd\\ufffd'],
    [[0xf4, 0x90, 0x80, 0x80], '\\ufffd\\ufffd\\ufffd\\ufffd'],
  ];
  for (const [bytes, expected] of cases) assert.equal(escaped(Buffer.from(bytes)), expected);
});
