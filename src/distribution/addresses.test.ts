import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLinkLocal, isLoopbackHost, parseNetwork } from './addresses.ts';

test('link-local addresses in all their forms', () => {
  const others = ['64:ff9b::169.254.169.254', '2002:a9fe:a9fe::1', '::ffff:169.254.1.1', 'fd00:ec2::254'];
  for (const address of ['169.254.169.254', '[fe80::1]', 'febf::1', ...others])
    assert.ok(isLinkLocal(address), address);
  for (const address of [
    '169.253.0.1',
    '10.0.0.1',
    '::1',
    'fec0::1',
    '64:ff9b::a9ff:1',
    'metadata.example',
  ]) {
    assert.ok(!isLinkLocal(address), address);
  }
});

test('loopback by name and address', () => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.1', '::1', '[::1]'])
    assert.ok(isLoopbackHost(host), host);
  for (const host of ['localhost.example', '128.0.0.1', '::2', '']) assert.ok(!isLoopbackHost(host), host);
});

test('networks', () => {
  for (const text of ['10.0.0.0', '10.0.0.0/33', 'x/8', '10.0.0.0/-1', '']) {
    assert.equal(parseNetwork(text), undefined, text);
  }
  assert.ok(parseNetwork('fd00::/8') !== undefined);
});
