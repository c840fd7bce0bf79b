import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../stdx/ip.ts';
import { type Place, staleTest } from './stale-flows.ts';

const host = new Set(['192.0.2.1']);
const names: Place = { protocol: 'udp', family: 4, hostPort: 53 };

/** @param answeredBy undefined: nothing was translated. */
function isStale(port: Place, sentTo: string, sentToPort: number, answeredBy = sentTo): boolean {
  return staleTest(
    [port],
    host,
  )({
    sentTo: parseIp(sentTo)!,
    sentToPort,
    answeredBy: parseIp(answeredBy)!,
    answeredByPort: sentToPort,
  });
}

test('flows to any address of the host are stale when its port leads nowhere any more', () => {
  assert.equal(isStale(names, '192.0.2.1', 53, '172.17.0.2'), true);
  assert.equal(isStale(names, '127.0.0.53', 53, '172.17.0.2'), true);
  assert.equal(isStale(names, '192.0.2.1', 54, '172.17.0.2'), false);
});

test('flows that go where the port leads now are not', () => {
  const led: Place = { ...names, address: '172.17.0.3', containerPort: 53 };
  assert.equal(isStale(led, '192.0.2.1', 53, '172.17.0.3'), false);
  assert.equal(isStale(led, '192.0.2.1', 53, '172.17.0.2'), true, 'another container');
  assert.equal(isStale(led, '192.0.2.1', 53), true, 'the host itself');
  assert.equal(isStale({ ...led, containerPort: 5353 }, '192.0.2.1', 53, '172.17.0.3'), true, 'another port');
});

test('flows to other machines never are', () => {
  assert.equal(isStale(names, '198.51.100.1', 53), false);
});

test('a port on one address concerns that one', () => {
  const local = { ...names, hostIp: '127.0.0.1' };
  assert.equal(isStale(local, '127.0.0.1', 53), true);
  assert.equal(isStale(local, '192.0.2.1', 53), false);
});
