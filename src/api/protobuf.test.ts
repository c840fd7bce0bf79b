import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bigInt64,
  bool,
  bytes,
  int32,
  int64,
  mapOf,
  message,
  nested,
  repeated,
  single,
  string,
  uint32,
} from './protobuf.ts';

const point = message({ x: single(1, int32), y: single(2, int32) });
const all = message({
  text: single(1, string),
  data: single(2, bytes),
  flag: single(3, bool),
  small: single(4, int32),
  unsigned: single(5, uint32),
  large: single(6, int64),
  huge: single(7, bigInt64),
  where: nested(8, point),
  names: repeated(9, string),
  numbers: repeated(10, int32),
  points: repeated(11, point),
  attributes: mapOf(12, string),
  places: mapOf(500, point),
});

describe('protobuf', () => {
  test('what is not sent is zero', () => {
    assert.deepEqual(all.decode(new Uint8Array(0)), {
      text: '',
      data: Buffer.alloc(0),
      flag: false,
      small: 0,
      unsigned: 0,
      large: 0,
      huge: 0n,
      where: undefined,
      names: [],
      numbers: [],
      points: [],
      attributes: new Map(),
      places: new Map(),
    });
    assert.equal(all.encode({ text: '', small: 0, names: [] }).length, 0);
  });

  test('the bytes are those of the documentation', () => {
    // "Encoding" at protobuf.dev: a varint, a string, a nested message, minus two.
    assert.equal(point.encode({ x: 150 }).toString('hex'), '089601');
    assert.equal(
      message({ b: single(2, string) })
        .encode({ b: 'testing' })
        .toString('hex'),
      '120774657374696e67',
    );
    assert.equal(
      message({ c: nested(3, point) })
        .encode({ c: { x: 150 } })
        .toString('hex'),
      '1a03089601',
    );
    assert.equal(point.encode({ x: -2 }).toString('hex'), '08feffffffffffffffff01');
    assert.deepEqual(
      message({ f: repeated(6, int32) }).decode(Buffer.from('3206038e029ea705', 'hex')).f,
      [3, 270, 86942],
    );
  });

  test('what is encoded is decoded', () => {
    const pair = fc.record({ x: fc.integer(), y: fc.integer() }, { noNullPrototype: true });
    const value = fc.record(
      {
        text: fc.string({ unit: 'grapheme' }),
        data: fc.uint8Array().map(array => Buffer.from(array)),
        flag: fc.boolean(),
        small: fc.integer(),
        unsigned: fc.nat({ max: 0xffffffff }),
        large: fc.maxSafeInteger(),
        huge: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        where: fc.option(pair, { nil: undefined }),
        names: fc.array(fc.string()),
        numbers: fc.array(fc.integer()),
        points: fc.array(pair),
        attributes: fc.array(fc.tuple(fc.string(), fc.string())).map(entries => new Map(entries)),
        places: fc.constant(new Map([['__proto__', { x: 1, y: -1 }]])),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(value, one => {
        assert.deepEqual(all.decode(all.encode(one)), one);
      }),
    );
  });

  test('unknown fields of every wire type are passed over', () => {
    const unknown = Buffer.from('a006ff01a1060102030405060708a20603616263a5060102030408', 'hex');
    const bytesAfter = Buffer.concat([unknown.subarray(0, -1), point.encode({ y: 7 })]);
    assert.deepEqual(point.decode(bytesAfter), { x: 0, y: 7 });
  });

  test('hostile bytes are errors, not hangs', () => {
    assert.throws(() => point.decode(Buffer.from('08', 'hex')), /cut off/);
    assert.throws(() => point.decode(Buffer.from(`08${'ff'.repeat(11)}`, 'hex')), /no end/);
    assert.throws(() => all.decode(Buffer.from('0affffffff0f', 'hex')), /cut off/);
    assert.throws(() => all.decode(Buffer.from('0b', 'hex')), /wire type 3/);
    assert.throws(() => all.decode(Buffer.alloc(2 ** 20, '4a00', 'hex')), /too many/);
    assert.throws(() => all.decode(Buffer.from('0801', 'hex')), /wire type 0 is unexpected/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), random => {
        try {
          all.decode(random);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
  });
});
