import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { planNamed } from './egress.ts';
import { planNeighbours } from './neighbours.ts';
import {
  countElements,
  type FirewallBridge,
  type PortRule,
  planBridgeAdded,
  planBridgeRemoved,
  planPortsAdded,
  planPortsRemoved,
  planRuleset,
  planStrangers,
  planWiresClosed,
} from './ruleset.ts';

const gantry0: FirewallBridge = {
  linkName: 'gantry0',
  subnets: ['172.17.0.0/16'],
  internal: false,
  interContainer: true,
  masquerade: true,
};
const inner: FirewallBridge = {
  linkName: 'br-0123456789ab',
  subnets: ['172.18.0.0/16', 'fd00:1::/64'],
  internal: true,
  interContainer: false,
  masquerade: false,
};
const listed: FirewallBridge = {
  ...gantry0,
  linkName: 'br-app',
  subnets: ['172.19.0.0/16'],
  egressSubnets: ['192.0.2.0/24', '2001:db8::/32'],
};
const web: PortRule = {
  protocol: 'tcp',
  family: 4,
  hostPort: 8080,
  address: '172.17.0.2',
  containerPort: 80,
};
const local: PortRule = { ...web, hostIp: '127.0.0.1', hostPort: 5432, containerPort: 5432 };
const names: PortRule = { ...web, protocol: 'udp', hostPort: 5353, containerPort: 53 };
const six: PortRule = { ...web, family: 6, address: 'fd00:1::2' };

const dockerUser = {
  family: 'ip',
  table: 'filter',
  name: 'DOCKER-USER',
  matches: ['iifname', 'oifname'],
  rules: [],
} as const;

const documented: Readonly<Record<string, string>> = {
  table: planRuleset({ table: 'gantry', bridges: [], ports: [], closed: [], strangers: [], named: [] }),
  bridge: planBridgeAdded('gantry', gantry0),
  internal: planBridgeAdded('gantry', inner),
  egress: planBridgeAdded('gantry', listed).replace(
    planBridgeAdded('gantry', { ...listed, egressSubnets: undefined }),
    '',
  ),
  named: planNamed('gantry', [{ linkName: 'br-app', address: '198.51.100.7', timeoutS: 600 }]),
  ports: planPortsAdded('gantry', [web, local, names, six]),
  closed: planWiresClosed('gantry', [4, 6]),
  neighbours: `${planNeighbours([dockerUser], ['gantry0'], 'gantry').join('\n')}\n`,
  strangers: `${planStrangers('gantry', [], ['docker0']).join('\n')}\n`,
};

test('docs/firewall.md shows what is done (GANTRY_RECORD=1 writes it anew)', () => {
  const path = `${import.meta.dirname}/../../../docs/firewall.md`;
  const page = readFileSync(path, 'utf8');
  const shown: string[] = [];
  const fresh = page.replaceAll(
    /(<!-- ruleset: (\w+) -->\n```nft\n)[^`]*(```)/g,
    (_, before: string, name: string, after: string) => {
      shown.push(name);
      return `${before}${documented[name]}${after}`;
    },
  );
  assert.deepEqual(shown, Object.keys(documented));
  if (process.env['GANTRY_RECORD'] !== undefined) writeFileSync(path, fresh);
  else assert.equal(page, fresh);
});

test('gateway modes and source addresses are elements of their own', () => {
  const elements = (more: Partial<FirewallBridge>) =>
    planBridgeAdded('gantry', { ...gantry0, subnets: ['172.17.0.0/16', 'fd00::/64'], ...more })
      .split('\n')
      .flatMap(line => /gantry ((?:masq|sour|rout|open).*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(elements({ ipv4: { mode: 'routed' }, ipv6: { mode: 'nat-unprotected' } }), [
    'masqueraded6 { fd00::/64 }',
    'routed4 { "gantry0" }',
    'open6 { "gantry0" }',
  ]);
  assert.deepEqual(elements({ ipv4: { mode: 'nat', source: '192.0.2.7' } }), [
    'sources4 { 172.17.0.0/16 : 192.0.2.7 }',
    'masqueraded6 { fd00::/64 }',
  ]);
});

test('the whole table has everything there is', () => {
  const state = {
    table: 'gantry',
    bridges: [gantry0, inner],
    ports: [web, local, six],
    closed: [4],
    strangers: ['docker0'],
    named: [],
  } as const;
  assert.equal(
    planRuleset(state),
    planRuleset({ ...state, bridges: [], ports: [], closed: [], strangers: [] }) +
      planBridgeAdded('gantry', gantry0) +
      planBridgeAdded('gantry', inner) +
      planPortsAdded('gantry', [web, local, six]) +
      planWiresClosed('gantry', [4]) +
      'add element inet gantry strangers { "docker0" }\n',
  );
});

test('strangers come and go', () => {
  assert.deepEqual(planStrangers('gantry', ['docker0', 'br-a'], ['docker0', 'br-b']), [
    'add element inet gantry strangers { "br-b" }',
    'delete element inet gantry strangers { "br-a" }',
  ]);
});

test('what is removed is what was added', () => {
  assert.equal(
    planBridgeRemoved('gantry', inner),
    planBridgeAdded('gantry', inner).replaceAll('add ', 'delete '),
  );
  assert.equal(
    planPortsRemoved('gantry', [six]),
    'delete element inet gantry anyports6 { tcp . 8080 : fd00:1::2 . 80 }\n',
  );
});

test('ports of one map are one command', () => {
  assert.equal(
    planPortsAdded('gantry', [web, local, { ...web, hostPort: 81 }]),
    `add element inet gantry anyports4 { tcp . 8080 : 172.17.0.2 . 80, tcp . 81 : 172.17.0.2 . 80 }
add element inet gantry ports4 { tcp . 127.0.0.1 . 5432 : 172.17.0.2 . 5432 }
`,
  );
});

test('elements are counted by set', () => {
  const state = {
    table: 'gantry',
    bridges: [gantry0, inner],
    ports: [web, local, six],
    closed: [4],
    strangers: ['docker0'],
    named: [],
  } as const;
  assert.deepEqual(countElements(state), {
    bridges: 2,
    talking: 1,
    own4: 2,
    masqueraded4: 1,
    apart: 1,
    internal: 1,
    own6: 1,
    anyports4: 1,
    ports4: 1,
    anyports6: 1,
    closed: 1,
    strangers: 1,
  });
});
