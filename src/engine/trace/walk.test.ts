import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Owner, TraceEvidence } from './evidence.ts';
import { walk } from './walk.ts';

const app = { name: 'app', internal: false, interContainer: true, hasNames: true };
const listening = { protocol: 'tcp', address: '0.0.0.0', port: 80 } as const;
const port = { hostLinkName: 'veth1', bridgeName: 'br-1' };

/** web asks db:80 on the same network, and all is well. */
const fine: TraceEvidence = {
  from: 'web',
  networks: [app],
  to: { host: 'db', port: 80, protocol: 'tcp' },
  name: { byHostsFile: false, servers: ['127.0.0.11'], addresses: ['172.18.0.3'], outcome: 'NOERROR' },
  address: '172.18.0.3',
  owner: { kind: 'container', name: 'db', network: 'app', sockets: [listening] },
  route: { linkName: 'eth0', linkUp: true, source: '172.18.0.2' },
  ports: [port],
  firewallMended: false,
  droppingChains: [],
  connection: 'is accepted',
};

/** Where it breaks, and what mends it. */
function end(change: Partial<TraceEvidence>): string[] {
  const steps = walk({ ...fine, ...change });
  assert.ok(steps.slice(0, -1).every(({ passes }) => passes));
  const last = steps.at(-1)!;
  return last.passes ? ['passes'] : [last.check, last.said, ...last.mend];
}

test('a way without a fault is walked to its end', () => {
  assert.deepEqual(
    walk(fine).map(({ check, passes }) => [check, passes]),
    ['name', 'address', 'route', 'bridge', 'firewall', 'listener', 'connection'].map(check => [check, true]),
  );
});

test('it ends where it breaks', () => {
  const unknown = { ...fine.name!, addresses: [], outcome: 'NXDOMAIN' };
  const gone = { name: unknown, address: undefined, owner: undefined, route: undefined };
  assert.deepEqual(end(gone)[0], 'name');
  assert.match(
    end({ ...gone, networks: [{ ...app, internal: true }] })[2]!,
    /^gantry network connect bridge web/,
  );
  const container = { running: true, networks: ['bridge'], namedNetworks: [] };
  assert.match(end({ ...gone, name: { ...unknown, container } })[1]!, /default network/);
  assert.deepEqual(end({ owner: { kind: 'nobody', network: 'app' } })[0], 'address');
  assert.deepEqual(end({ route: undefined }), [
    'route',
    'There is no way from web to 172.18.0.3.',
    'gantry network connect app web',
  ]);
  assert.deepEqual(end({ route: { ...fine.route!, linkUp: false } })[0], 'route');
  assert.deepEqual(end({ ports: [port, { ...port, fault: 'the link veth1 is down' }] })[0], 'bridge');
  assert.match(end({ networks: [{ ...app, interContainer: false }] })[1]!, /may not talk/);
  assert.match(end({ networks: [{ ...app, name: 'other' }] })[1]!, /different networks/);
  assert.match(end({ egress: { network: 'app', allows: false } })[2]!, /network egress --allow db app/);
  const local = {
    ...fine.owner!,
    sockets: [{ ...listening, address: '127.0.0.1' }],
  } as TraceEvidence['owner'];
  assert.match(end({ owner: local })[1]!, /listens on 127\.0\.0\.1 only/);
  assert.deepEqual(end({ owner: { kind: 'itself', sockets: [{ ...listening, address: '127.0.0.1' }] } }), [
    'passes',
  ]);
  assert.match(end({ connection: 'is refused' })[1]!, /to port 80 is refused/);
});

test('where nothing answers, other firewalls that drop are named', () => {
  const steps = walk({ ...fine, connection: 'gets no answer', droppingChains: ['ip filter FORWARD'] });
  assert.deepEqual(steps.at(-1)!.seen, ['another firewall drops by default: ip filter FORWARD']);
});

test('a published port of the host is followed to its container', () => {
  const published = { container: 'db', hostPort: 8080, containerPort: 80, sockets: [listening] };
  const owner = { kind: 'host', published, sockets: [] } satisfies Owner;
  assert.deepEqual(end({ owner }), ['passes']);
  assert.match(end({ owner, networks: [{ ...app, internal: true }] })[1]!, /Internal networks/);
  assert.match(end({ owner: { ...owner, published: { ...published, sockets: [] } } })[1]!, /in db listens/);
});
