import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  countElements,
  type FirewallBridge,
  type PortRule,
  planBridgeAdded,
  planBridgeRemoved,
  planPortsAdded,
  planPortsRemoved,
  planRuleset,
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
const web: PortRule = {
  protocol: 'tcp',
  family: 4,
  hostPort: 8080,
  address: '172.17.0.2',
  containerPort: 80,
};
const local: PortRule = { ...web, hostIp: '127.0.0.1', hostPort: 5432, containerPort: 5432 };
const six: PortRule = { ...web, family: 6, address: 'fd00:1::2' };

test('the whole table is one transaction', () => {
  const golden = readFileSync(`${import.meta.dirname}/golden/ruleset.nft`, 'utf8');
  assert.equal(planRuleset({ table: 'gantry', bridges: [gantry0, inner], ports: [web, local, six] }), golden);
});

test('a change is its elements alone', () => {
  assert.equal(
    planBridgeAdded('gantry', gantry0),
    `add element inet gantry bridges { "gantry0" }
add element inet gantry talking { "gantry0" . "gantry0" }
add element inet gantry own4 { "gantry0" . 172.17.0.0/16 }
add element inet gantry masqueraded4 { 172.17.0.0/16 }
`,
  );
  assert.equal(
    planBridgeRemoved('gantry', inner),
    planBridgeAdded('gantry', inner).replaceAll('add ', 'delete '),
  );
  assert.equal(
    planPortsAdded('gantry', [web, local, { ...web, hostPort: 81 }]),
    `add element inet gantry anyports4 { tcp . 8080 : 172.17.0.2 . 80, tcp . 81 : 172.17.0.2 . 80 }
add element inet gantry ports4 { tcp . 127.0.0.1 . 5432 : 172.17.0.2 . 5432 }
`,
  );
  assert.equal(
    planPortsRemoved('gantry', [six]),
    'delete element inet gantry anyports6 { tcp . 8080 : fd00:1::2 . 80 }\n',
  );
});

test('elements are counted by set', () => {
  assert.deepEqual(countElements({ table: 'gantry', bridges: [gantry0, inner], ports: [web, local, six] }), {
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
  });
});
