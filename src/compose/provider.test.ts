import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Project } from './project.ts';
import { providerArguments, readProviderMessage, withProvided } from './provider.ts';

const project: Project = {
  name: 'shop',
  services: {
    'my-db': { provider: { type: 'cloud', options: { size: ['big'], list: ['a', 'b'], other: ['5'] } } },
    app: {
      depends_on: { 'my-db': { condition: 'service_started', required: true } },
      environment: { A: '1' },
    },
    site: { depends_on: { app: { condition: 'service_started', required: true } } },
  },
};

test('a provider gets the options it knows, and all when it does not say which', () => {
  assert.deepEqual(providerArguments(project, 'my-db', 'up', undefined), [
    'compose',
    '--project-name=shop',
    'up',
    '--size=big',
    '--list=a',
    '--list=b',
    '--other=5',
    'my-db',
  ]);
  const metadata = { up: { parameters: [{ name: 'list' }, { name: 'size', required: true }] } };
  assert.deepEqual(providerArguments(project, 'my-db', 'up', metadata), [
    'compose',
    '--project-name=shop',
    'up',
    '--size=big',
    '--list=a',
    '--list=b',
    'my-db',
  ]);
  assert.deepEqual(providerArguments(project, 'my-db', 'down', metadata), [
    'compose',
    '--project-name=shop',
    'down',
    'my-db',
  ]);
  assert.throws(
    () =>
      providerArguments(project, 'my-db', 'up', { up: { parameters: [{ name: 'key', required: true }] } }),
    /required parameter "key" is missing from provider "cloud" definition/,
  );
});

test('its variables go to the services that depend on it', () => {
  const { services } = withProvided(project, 'my-db', ['URL=http://x:1', 'K=a=b']);
  assert.deepEqual(services['app']!.environment, { A: '1', 'MY-DB_URL': 'http://x:1', 'MY-DB_K': 'a=b' });
  assert.equal(services['site']!.environment, undefined);
});

test('its lines are messages, or nothing', () => {
  assert.deepEqual(readProviderMessage('{"type":"setenv","message":"A=b"}'), {
    type: 'setenv',
    message: 'A=b',
  });
  for (const line of ['hello', '{"type":"other","message":"a"}', '{"type":"info"}', 'null', '[]'])
    assert.equal(readProviderMessage(line), undefined);
});
