import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../stdx/ip.ts';
import { staleTest } from './stale-flows.ts';

const udp = { protocol: 'udp', family: 4 } as const;
const host = new Set(['192.0.2.1']);

function isStale(ports: { hostIp?: string; hostPort: number }[], address: string, port: number): boolean {
  const test = staleTest(
    ports.map(one => ({ ...udp, ...one })),
    host,
  );
  return test({ sentTo: parseIp(address)!, sentToPort: port });
}

test('flows to any address of the host are stale when its port changes hands', () => {
  assert.equal(isStale([{ hostPort: 53 }], '192.0.2.1', 53), true);
  assert.equal(isStale([{ hostPort: 53 }], '127.0.0.53', 53), true);
  assert.equal(isStale([{ hostPort: 53 }], '192.0.2.1', 54), false);
});

test('flows to other machines never are', () => {
  assert.equal(isStale([{ hostPort: 53 }], '198.51.100.1', 53), false);
});

test('a port on one address concerns that one', () => {
  assert.equal(isStale([{ hostIp: '127.0.0.1', hostPort: 53 }], '127.0.0.1', 53), true);
  assert.equal(isStale([{ hostIp: '127.0.0.1', hostPort: 53 }], '192.0.2.1', 53), false);
});
