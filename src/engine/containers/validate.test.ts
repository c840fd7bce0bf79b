import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerConfig, hostConfig } from '../../../test/support/container-values.ts';
import type { HostConfig } from './config.ts';
import { validateHostConfig } from './validate.ts';

const onPort = (hostPort: string) => ({ portBindings: { '80/tcp': [{ hostIp: '', hostPort }] } });

for (const [values, message] of [
  [{ extraHosts: ['x'] }, 'bad format for add-host: "x"'],
  [{ extraHosts: ['x:nowhere'] }, 'invalid IP address in add-host: "nowhere"'],
  [onPort('x'), 'invalid port specification: "x"'],
  [onPort('5-3'), 'invalid port specification: "5-3"'],
  [onPort('99999'), 'invalid port specification: "99999"'],
  [
    { annotations: { '': 'x' } },
    'invalid Annotations: the empty string is not permitted as an annotation key',
  ],
  [{ securityOpt: ['bogus'] }, 'invalid --security-opt 1: "bogus"'],
] as [Partial<HostConfig>, string][]) {
  test(`a container with ${JSON.stringify(values)} is not made`, () => {
    assert.throws(() => validateHostConfig(hostConfig(values), containerConfig()), {
      kind: 'invalid',
      message,
    });
  });
}

test('an extra host may be the host itself or have an IPv6 address, a port of the host be any that is free', () => {
  const extraHosts = ['a:host-gateway', 'b:::1', 'c:[fd00::2]'];
  for (const hostPort of ['', '0', '8000-8010'])
    validateHostConfig(hostConfig({ extraHosts, ...onPort(hostPort) }), containerConfig());
});
