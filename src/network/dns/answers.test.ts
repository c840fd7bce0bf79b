import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { encodeDatagram, parseQuery, type Query } from './answers.ts';
import { parsePointer } from './names.ts';

function query(options: { edns?: number } = {}): Buffer {
  const additionals: Answer[] =
    options.edns === undefined
      ? []
      : [{ name: '.', type: 'OPT', udpPayloadSize: options.edns, flags: 0, options: [] }];
  return encode({ id: 7, type: 'query', flags: 0x100, questions: [{ name: 'web', type: 'A' }], additionals });
}

function parsed(bytes: Buffer): Query {
  const result = parseQuery(bytes);
  assert.equal(result.kind, 'query');
  return (result as { query: Query }).query;
}

test('how much an asker takes', () => {
  assert.equal(parsed(query()).udpPayloadBytes, 512);
  assert.equal(parsed(query({ edns: 1232 })).udpPayloadBytes, 1232);
  assert.equal(parsed(query({ edns: 100 })).udpPayloadBytes, 512);
  assert.equal(parsed(query({ edns: 65535 })).udpPayloadBytes, 4096);
});

test('an answer that does not fit is cut and says so', () => {
  const answers = Array.from({ length: 100 }, (_, index) => ({
    name: 'web',
    type: 'A',
    ttl: 1,
    data: `10.0.0.${index}`,
  }));
  const cut = encodeDatagram(parsed(query()), answers);
  assert.ok(cut.length <= 512);
  assert.ok(decode(cut).answers!.length > 10);
  assert.notEqual(decode(cut).flags & 0x200, 0);
  const whole = decode(encodeDatagram(parsed(query({ edns: 4096 })), answers));
  assert.equal(whole.answers!.length, 100);
  assert.equal(whole.flags & 0x200, 0);
  assert.equal(whole.additionals![0]!.type, 'OPT');
});

test('what is no question is refused, and an answer never answered', () => {
  assert.equal(parseQuery(Buffer.alloc(5)).kind, 'ignore');
  assert.equal(
    parseQuery(encode({ id: 7, type: 'response', questions: [{ name: 'web', type: 'A' }] })).kind,
    'ignore',
  );
  const rcodeOf = (bytes: Buffer) => {
    const result = parseQuery(bytes);
    assert.equal(result.kind, 'refuse');
    const { answer } = result as { answer: Buffer };
    return [answer.readUInt16BE(0), answer[3]! & 15];
  };
  assert.deepEqual(rcodeOf(encode({ id: 7, type: 'query', questions: [] })), [7, 1]);
  assert.deepEqual(rcodeOf(query().subarray(0, 14)), [7, 1]);
  const update = query();
  update[2] = 0x28;
  assert.deepEqual(rcodeOf(update), [7, 4]);
});

test('any bytes are survived', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
      parseQuery(Buffer.from(bytes));
    }),
  );
});

test('reverse names are read', () => {
  assert.equal(parsePointer('5.0.18.172.in-addr.arpa'), '172.18.0.5');
  const six = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa';
  assert.equal(parsePointer(six), '2001:db8::1');
  assert.equal(parsePointer('web'), undefined);
});
