import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../stdx/ip.ts';
import type { PortRequest } from '../network.ts';
import { directPorts, hostSide, planMove, planPort, ruleFor, targetFor } from './plan.ts';

const everywhere = { defaultHostIp: '0.0.0.0', hasIPv6: true };

function addresses(request: Partial<PortRequest>, options = everywhere): string[] {
  return planPort({ containerPort: 80, protocol: 'tcp', ...request }, options).hostAddresses.map(formatIp);
}

test('a port without an address appears on all of both families', () => {
  assert.deepEqual(addresses({}), ['0.0.0.0', '::']);
  assert.deepEqual(addresses({}, { ...everywhere, hasIPv6: false }), ['0.0.0.0']);
  assert.deepEqual(addresses({}, { ...everywhere, defaultHostIp: '127.0.0.1' }), ['127.0.0.1']);
  assert.deepEqual(addresses({ hostIp: '0.0.0.0' }), ['0.0.0.0']);
  assert.deepEqual(addresses({ hostIp: '[::1]' }), ['::1']);
});

test('ports are one, a range, or any', () => {
  const choices = (hostPort: string) =>
    planPort({ containerPort: 80, protocol: 'tcp', hostPort }, everywhere).choices;
  assert.deepEqual(choices('8080'), { first: 8080, last: 8080 });
  assert.deepEqual(choices('8000-8010'), { first: 8000, last: 8010 });
  assert.deepEqual(choices('1-65535'), { first: 1, last: 65535 });
  assert.deepEqual(choices('80-80'), { first: 80, last: 80 });
  assert.equal(choices(''), undefined);
  assert.equal(choices('0'), undefined);
  for (const bad of ['x', '80-', '90-80', '65536', '-1', '1-65536', '0-9']) {
    assert.throws(() => choices(bad), { kind: 'invalid' }, bad);
  }
  assert.throws(() => addresses({ hostIp: 'localhost' }), { kind: 'invalid' });
});

test('the firewall serves a family only when the container has it', () => {
  const port = { containerPort: 80, protocol: 'tcp', hostIp: '::', hostPort: 8080 } as const;
  assert.equal(ruleFor(port, { ipv4: '172.17.0.2' }), undefined);
  assert.deepEqual(targetFor(6, 80, { ipv4: '172.17.0.2' }), { address: '172.17.0.2', port: 80 });
  assert.deepEqual(ruleFor(port, { ipv4: '172.17.0.2', ipv6: 'fd00::2' }), {
    protocol: 'tcp',
    family: 6,
    hostPort: 8080,
    address: 'fd00::2',
    containerPort: 80,
  });
  assert.equal(ruleFor({ ...port, hostIp: '127.0.0.1' }, { ipv4: '172.17.0.2' })?.hostIp, '127.0.0.1');
});

test('where a family is routed a port is open at the container s own address', () => {
  const plan = planPort({ containerPort: 80, protocol: 'tcp', hostPort: '8080' }, everywhere);
  const target = { ipv4: '172.18.0.2', ipv6: 'fd00::2' };
  const [six, ...more] = directPorts(plan, [6], target);
  assert.deepEqual(more, []);
  assert.deepEqual(six, {
    containerPort: 80,
    protocol: 'tcp',
    hostIp: '::',
    hostPort: 0,
    openAt: 'fd00::2',
    asked: { hostIp: undefined, hostPort: '8080' },
  });
  const place = { protocol: 'tcp', family: 6, hostIp: 'fd00::2', hostPort: 80, direct: true } as const;
  assert.deepEqual(hostSide(six!), place);
  assert.deepEqual(ruleFor(six!, target), { ...place, address: 'fd00::2', containerPort: 80 });
  assert.deepEqual(directPorts(plan, [6], { ipv4: '172.18.0.2' }), []);
});

test('ports that move to a network of another gateway mode are published anew, the others keep their place', () => {
  const http = { containerPort: 80, protocol: 'tcp' } as const;
  const asked = { hostIp: undefined, hostPort: '8080-8090' };
  const routed = directPorts(planPort({ ...http, hostPort: '8080-8090' }, everywhere), [4, 6], {
    ipv4: '10.0.0.2',
    ipv6: 'fd00::2',
  });
  assert.deepEqual(planMove(routed, [], { ipv4: '10.1.0.2' }), {
    kept: [],
    anew: [{ request: { ...http, ...asked }, families: [4, 6] }],
  });
  assert.deepEqual(planMove(routed, [4, 6], { ipv4: '10.1.0.2' }), {
    kept: [{ ...routed[0]!, openAt: '10.1.0.2' }],
    anew: [],
  });
  const held = [
    { ...http, hostIp: '0.0.0.0', hostPort: 8085 },
    { ...http, hostIp: '::', hostPort: 8085 },
  ];
  assert.deepEqual(planMove(held, [4], { ipv4: '10.1.0.2' }), {
    kept: [held[1]],
    anew: [{ request: { ...http, hostIp: undefined, hostPort: '8085' }, families: [4] }],
  });
  const both = { request: { ...http, hostIp: undefined, hostPort: '8085' }, families: [4, 6] };
  assert.deepEqual(planMove(held, [4, 6], { ipv4: '10.1.0.2' }), { kept: [], anew: [both] });
  // Without IPv6 on the routed network nothing was open there.
  const [four] = directPorts(planPort({ ...http, hostPort: '8085' }, everywhere), [4, 6], {
    ipv4: '10.0.0.2',
  });
  assert.deepEqual(planMove([four!], [], { ipv4: '10.1.0.2' }), { kept: [], anew: [both] });
  const local = { ...http, hostIp: '127.0.0.1', hostPort: 8085 };
  assert.deepEqual(planMove([local], [4], { ipv4: '10.1.0.2' }).anew[0]!.request, {
    ...http,
    hostIp: '127.0.0.1',
    hostPort: '8085',
  });
});
