import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { passesFilter } from './filter.ts';
import { pcapHeader, pcapRecord } from './pcap.ts';

const macs = '020000000001020000000002';
/** 10.0.0.1:4000 -> 10.0.0.2:80, TCP; the second is its later fragment. */
const four = `${macs}08004500001800000000400600000a0000010a0000020fa00050`;
const fragment = four.replace('45000018000000', '45000018000000').replace('00000000400600', '00000010400600');
/** [fd00::1]:53 -> [fd00::2]:4000, UDP, with a VLAN tag. */
const six = `${macs}8100000586dd6000000000081140fd000000000000000000000000000001fd00000000000000000000000000000200350fa000080000`;
const arp = `${macs}0806000108000604`;

const passes = (hex: string, filter: { host?: string; port?: number }) =>
  passesFilter(Buffer.from(hex, 'hex'), filter);

test('packets are told apart by address and port', () => {
  for (const frame of [four, six, arp]) assert.ok(passes(frame, {}));
  assert.ok(passes(four, { host: '10.0.0.2' }));
  assert.ok(passes(four, { host: '10.0.0.1', port: 80 }));
  assert.ok(passes(four, { port: 4000 }));
  assert.ok(!passes(four, { host: '10.0.0.3' }));
  assert.ok(!passes(four, { host: '10.0.0.2', port: 81 }));
  assert.ok(passes(six, { host: 'fd00::2', port: 53 }));
  assert.ok(!passes(six, { host: '10.0.0.1' }));
  assert.ok(!passes(arp, { port: 80 }));
  assert.ok(passes(fragment, { host: '10.0.0.1' }));
  assert.ok(!passes(fragment, { port: 80 }), 'a later fragment has no ports');
});

test('any bytes are survived', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
      passesFilter(Buffer.from(bytes), { host: '10.0.0.1', port: 80 });
    }),
  );
});

test('a file is a head and records', () => {
  assert.equal(pcapHeader(65536).toString('hex'), '4d3cb2a10200040000000000000000000000010001000000');
  const record = pcapRecord({ bytes: Buffer.from('abcd'), lengthBytes: 5, seconds: 1, nanoseconds: 2 }, 3);
  assert.equal(record.toString('hex'), '01000000020000000300000005000000616263');
});
