import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkVariables } from './link-environment.ts';

test('variables of a link, in the words of old Docker', () => {
  const linked = {
    alias: 'my-db',
    address: '172.17.0.2',
    ports: ['53/udp', '5432/tcp', '80/tcp'],
    env: ['PATH=/bin', 'SECRET=a=b', 'EMPTY=', 'BARE'],
  };
  assert.deepEqual(linkVariables('web', { ...linked, ports: ['80/tcp', '53/udp'] }), [
    'MY_DB_PORT=udp://172.17.0.2:53',
    'MY_DB_PORT_53_UDP=udp://172.17.0.2:53',
    'MY_DB_PORT_53_UDP_ADDR=172.17.0.2',
    'MY_DB_PORT_53_UDP_PORT=53',
    'MY_DB_PORT_53_UDP_PROTO=udp',
    'MY_DB_PORT_80_TCP=tcp://172.17.0.2:80',
    'MY_DB_PORT_80_TCP_ADDR=172.17.0.2',
    'MY_DB_PORT_80_TCP_PORT=80',
    'MY_DB_PORT_80_TCP_PROTO=tcp',
    'MY_DB_NAME=/web/my-db',
    'MY_DB_ENV_SECRET=a=b',
  ]);
  assert.deepEqual(linkVariables('web', { ...linked, address: '' }), []);
});
