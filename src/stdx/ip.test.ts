import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  contains,
  encloses,
  formatIp,
  formatSubnet,
  ipBytes,
  ipFromBytes,
  overlaps,
  parseInterface,
  parseIp,
  parseSubnet,
} from './ip.ts';

test('every address survives text and bytes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
      const address = parseIp(text)!;
      assert.deepEqual(parseIp(formatIp(address)), address);
      assert.deepEqual(ipFromBytes(ipBytes(address)), address);
    }),
  );
});

test('IPv6 is written in its shortest form', () => {
  for (const [given, shortest] of [
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::', 'fe80::'],
  ] as const) {
    assert.equal(formatIp(parseIp(given)!), shortest);
  }
});

test('what is no address or subnet is refused', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', 'fe80::1%eth0', 'x', '1.2.3.4/8']) {
    assert.equal(parseIp(text), undefined, text);
  }
  for (const text of ['10.0.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/-1', '10.0.0.0/', '/8']) {
    assert.equal(parseSubnet(text), undefined, text);
  }
});

test('subnets know what they contain', () => {
  const net = parseSubnet('172.18.0.0/16')!;
  assert.equal(formatSubnet(parseInterface('172.18.7.9/16')!.subnet), '172.18.0.0/16');
  assert.ok(contains(net, parseIp('172.18.255.255')!));
  assert.ok(!contains(net, parseIp('172.19.0.0')!));
  assert.ok(overlaps(net, parseSubnet('172.16.0.0/12')!));
  assert.ok(!overlaps(net, parseSubnet('172.19.0.0/16')!));
  assert.ok(encloses(parseSubnet('172.16.0.0/12')!, net));
  assert.ok(!encloses(net, parseSubnet('172.16.0.0/12')!));
  assert.ok(!overlaps(net, parseSubnet('::/0')!));
});
