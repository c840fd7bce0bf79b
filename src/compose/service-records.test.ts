import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInspect, ContainerState } from '../api/containers.ts';
import { serviceRecords } from './service-records.ts';

const never = '0001-01-01T00:00:00Z';

/** A container as the engine tells of it, as far as records look. */
function container(
  service: string,
  number: number,
  state: Partial<ContainerState>,
  changes: { created?: string; ports?: object; labels?: Record<string, string>; project?: string } = {},
): ContainerInspect {
  const { created = '2026-01-01T00:00:00.5Z', ports = {}, labels = {}, project = 'shop' } = changes;
  return {
    Id: `${service}${number}`,
    Name: `/${project}-${service}-${number}`,
    Created: created,
    State: { Status: 'running', StartedAt: '2026-01-01T00:00:01Z', FinishedAt: never, ...state },
    Config: {
      Image: `${service}:1`,
      Labels: {
        ...labels,
        'com.docker.compose.project': project,
        'com.docker.compose.service': service,
        'com.docker.compose.container-number': String(number),
      },
    },
    NetworkSettings: { Ports: ports },
  } as unknown as ContainerInspect;
}

const health = (Status: 'starting' | 'healthy' | 'unhealthy') => ({ Status, FailingStreak: 0, Log: [] });

test('a service is one record, whatever the number of its containers', () => {
  const [record, ...others] = serviceRecords([
    container('web', 2, { StartedAt: '2026-01-03T00:00:00Z', Health: health('healthy') }),
    container(
      'web',
      1,
      { FinishedAt: '2026-01-02T00:00:00Z', Health: health('healthy') },
      {
        created: '2025-12-31T00:00:00Z',
        ports: {
          '80/tcp': [
            { HostIp: '0.0.0.0', HostPort: '8080' },
            { HostIp: '::', HostPort: '8080' },
          ],
          '53/udp': [{ HostIp: '127.0.0.1', HostPort: '5353' }],
          '9000/tcp': null,
        },
        labels: { 'org.example.team': 'shop' },
      },
    ),
  ]);
  assert.deepEqual(others, []);
  assert.deepEqual(record, {
    id: 'shop/web',
    name: 'web',
    project: 'shop',
    image: 'web:1',
    status: 'running',
    ports: [
      { address: '0.0.0.0', port: 8080, container_port: 80, protocol: 'tcp' },
      { address: '::', port: 8080, container_port: 80, protocol: 'tcp' },
      { address: '127.0.0.1', port: 5353, container_port: 53, protocol: 'udp' },
    ],
    labels: { 'org.example.team': 'shop' },
    created_at: '2025-12-31T00:00:00Z',
    updated_at: '2026-01-03T00:00:00Z',
    containers: [
      { id: 'web1', name: 'shop-web-1', status: 'running', health: 'healthy' },
      { id: 'web2', name: 'shop-web-2', status: 'running', health: 'healthy' },
    ],
  });
});

test('services of several projects are told apart, in order', () => {
  const records = serviceRecords([
    container('web', 1, {}, { project: 'shop' }),
    container('web', 1, {}, { project: 'blog' }),
    container('api', 1, {}, { project: 'shop' }),
  ]);
  assert.deepEqual(
    records.map(({ id }) => id),
    ['blog/web', 'shop/api', 'shop/web'],
  );
});

test('the status is what is true of all containers', () => {
  const statusOf = (...states: Partial<ContainerState>[]) =>
    serviceRecords(states.map((state, at) => container('a', at + 1, state)))[0]?.status;
  assert.equal(statusOf({}, {}), 'running');
  assert.equal(statusOf({}, { Health: health('starting') }), 'starting');
  assert.equal(statusOf({ Health: health('unhealthy') }, { Health: health('starting') }), 'unhealthy');
  assert.equal(statusOf({}, { Status: 'exited' }), 'degraded');
  assert.equal(statusOf({ Status: 'exited' }, { Status: 'exited' }), 'exited');
  assert.equal(statusOf({ Status: 'paused' }), 'paused');
});
