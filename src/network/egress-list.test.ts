import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowsName, changeEgress, formatEgress, outermostSubnets, parseEgress } from './egress-list.ts';

test('names and subnets are told apart', () => {
  const list = parseEgress('Example.org, *.deb.example.,10.1.2.3/8,192.0.2.1,2001:DB8::/32');
  assert.deepEqual(list, {
    names: ['example.org', '*.deb.example'],
    subnets: ['10.0.0.0/8', '192.0.2.1/32', '2001:db8::/32'],
  });
  assert.deepEqual(parseEgress(formatEgress(list)), list);
  assert.deepEqual(parseEgress('none'), { names: [], subnets: [] });
  assert.equal(formatEgress({ names: [], subnets: [] }), 'none');
});

test('what is neither is refused', () => {
  for (const text of [
    '',
    ',',
    'a b',
    '10.0.0.0/33',
    '300.1.1.1',
    '*',
    '*.',
    '-a.example',
    'a.*.example',
    'http://a',
  ])
    assert.throws(() => parseEgress(text), { kind: 'invalid' }, text);
});

test('a name is allowed as it stands, or below a star', () => {
  const list = parseEgress('example.org,*.deb.example');
  const allowed = ['example.org', 'EXAMPLE.org.', 'a.deb.example', 'a.b.deb.example'];
  for (const name of allowed) assert.ok(allowsName(list, name), name);
  for (const name of ['www.example.org', 'deb.example', 'xdeb.example', 'org'])
    assert.ok(!allowsName(list, name), name);
});

test('entries come and go', () => {
  const list = changeEgress(undefined, { allow: ['a.example', '10.0.0.0/8'], remove: [] });
  assert.deepEqual(changeEgress(list, { allow: ['b.example', 'A.example'], remove: ['10.0.0.0/8'] }), {
    names: ['a.example', 'b.example'],
    subnets: [],
  });
  assert.throws(() => changeEgress(list, { allow: [], remove: ['c.example'] }), { kind: 'notFound' });
});

test('subnets inside of others are left out', () => {
  assert.deepEqual(outermostSubnets(['10.1.0.0/16', '10.0.0.0/8', '192.0.2.1/32', 'fd00::/8']), [
    '10.0.0.0/8',
    '192.0.2.1/32',
    'fd00::/8',
  ]);
});
