import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountsOf, type OneOffRequest, oneOffService, portsOf } from './one-off.ts';
import type { Service } from './project.ts';

const plain: OneOffRequest = {
  command: [],
  tty: false,
  interactive: true,
  environment: {},
  labels: {},
  volumes: [],
  servicePorts: false,
  ports: [],
  addedCapabilities: [],
  droppedCapabilities: [],
  withDependencies: true,
};

const reading = {
  directory: '/here',
  resolvesPaths: true,
  interpolates: true,
  homeDirectory: '/home/me',
  warn: () => {},
};

const web: Service = {
  image: 'web',
  command: ['serve'],
  container_name: 'web',
  restart: 'always',
  deploy: { replicas: 3, restart_policy: { condition: 'any' }, labels: { a: 'b' } },
  ports: [{ target: 80, published: '8080', protocol: 'tcp', mode: 'ingress' }],
  volumes: [{ type: 'volume', source: 'data', target: '/d' }],
  environment: { A: '1', B: '2' },
  cap_add: ['NET_ADMIN'],
  depends_on: { db: { condition: 'service_started', required: true } },
};

test('one container of a service is not restarted, has no name and no ports of its own', () => {
  assert.deepEqual(oneOffService(web, plain), {
    image: 'web',
    command: ['serve'],
    deploy: { labels: { a: 'b' } },
    ports: [],
    volumes: web.volumes,
    environment: { A: '1', B: '2' },
    labels: {},
    cap_add: ['NET_ADMIN'],
    cap_drop: [],
    depends_on: web.depends_on,
    tty: false,
    stdin_open: true,
  });
});

test('what is asked for counts before what the service has', () => {
  const volumes = mountsOf(['./x:/d:ro'], reading);
  const ports = portsOf(['127.0.0.1:81:80/udp', '9'], reading);
  const one = oneOffService(web, {
    ...plain,
    command: ['-c', 'true'],
    entrypoint: ['sh'],
    user: '1',
    workingDirectory: '/w',
    environment: { A: null, C: '3' },
    labels: { l: 'm' },
    volumes,
    ports,
    servicePorts: true,
    addedCapabilities: ['SYS_TIME'],
    droppedCapabilities: ['NET_ADMIN'],
    withDependencies: false,
  });
  assert.deepEqual([one.entrypoint, one.command], [['sh'], ['-c', 'true']]);
  assert.deepEqual([one.user, one.working_dir, one.labels], ['1', '/w', { l: 'm' }]);
  assert.deepEqual(one.environment, { B: '2', C: '3' });
  assert.deepEqual(
    one.volumes?.map(({ type, source, target, read_only }) => [type, source, target, read_only]),
    [['bind', '/here/x', '/d', true]],
  );
  assert.deepEqual(
    one.ports?.map(({ host_ip, published, target, protocol }) => [host_ip, published, target, protocol]),
    [
      [undefined, '8080', 80, 'tcp'],
      ['127.0.0.1', '81', 80, 'udp'],
      [undefined, undefined, 9, 'tcp'],
    ],
  );
  assert.deepEqual([one.cap_add, one.cap_drop], [['SYS_TIME'], ['NET_ADMIN']]);
  assert.equal(one.depends_on, undefined);
});

test('an entrypoint without a command has none', () => {
  assert.deepEqual(oneOffService(web, { ...plain, entrypoint: ['sh'] }).command, []);
});

test('what cannot be read is refused', () => {
  assert.throws(() => portsOf(['x:80'], reading), { message: 'invalid hostPort: x' });
  assert.throws(() => mountsOf(['a:b:c:d'], reading), { message: 'invalid spec: a:b:c:d: too many colons' });
});
