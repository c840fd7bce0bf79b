import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BakeOptions, bakeFile } from './bake.ts';
import type { Build, Project } from './project.ts';

const plain: BakeOptions = { args: {}, ssh: {}, push: false, check: false, pull: false, noCache: false };

/** What docker compose 2.40 printed for the same projects. */
test('all that a build can say', () => {
  const { group, target } = bakeOf({
    web: { image: 'me/web', build: everything },
    's.t': { build: { context: 'https://example.com/x.git#b', dockerfile: 'D.y' }, platform: 'linux/arm64' },
  });
  assert.deepEqual(group, { default: { targets: ['s_t', 'web'] } });
  assert.deepEqual(target['s_t'], {
    context: 'https://example.com/x.git#b',
    dockerfile: 'D.y',
    labels: labels('s.t'),
    tags: ['shop-s.t'],
    platforms: ['linux/arm64'],
    output: ['type=docker'],
  });
  assert.deepEqual(target['web'], {
    context: '/srv/web',
    contexts: { a: '/srv/a', base: 'target:s_t' },
    dockerfile: '/srv/web/D.x',
    args: { A: 'x' },
    labels: { ...labels('web'), l: 'm' },
    tags: ['a/b', 'me/web'],
    'cache-from': ['x/y'],
    'cache-to': ['type=registry,ref=x'],
    target: 'last',
    secret: ['id=t,type=env,env=HOME', 'id=f,type=file,src=/srv/f'],
    ssh: ['default=', 'k=/p'],
    platforms: ['linux/amd64', 'linux/arm64'],
    pull: true,
    'no-cache': true,
    network: 'host',
    'shm-size': '67108864',
    ulimits: ['nofile=1:2', 'nproc=100'],
    entitlements: ['network.host', 'security.insecure'],
    'extra-hosts': { h: '1.1.1.1,2.2.2.2' },
    output: ['type=image,push=false'],
    attest: ['type=provenance,mode=max', 'type=sbom'],
  });
});

test('what flags change', () => {
  const services = {
    web: { image: 'me/web', build: { context: '/srv' } },
    own: { build: { context: '/srv' } },
  };
  const pushed = bakeOf(services, { ...plain, push: true, args: { A: '1' }, ssh: { default: '' } }).target;
  assert.deepEqual(pushed['web']!['output'], ['type=registry']);
  assert.deepEqual(pushed['own']!['output'], ['type=docker']);
  assert.deepEqual(pushed['own']!['args'], { A: '1' });
  assert.deepEqual(pushed['own']!['ssh'], ['default=']);
  const checked = bakeOf(services, {
    ...plain,
    check: true,
    pull: true,
    noCache: true,
    sbom: 'false',
  }).target;
  assert.deepEqual(checked['own'], {
    context: '/srv',
    dockerfile: '/srv/Dockerfile',
    labels: labels('own'),
    tags: ['shop-own'],
    pull: true,
    'no-cache': true,
    call: 'lint',
  });
});

const everything: Build = {
  context: '/srv/web',
  dockerfile: 'D.x',
  args: { A: 'x', unset: null },
  labels: { l: 'm' },
  target: 'last',
  additional_contexts: { base: 'service:s.t', a: '/srv/a' },
  cache_from: ['x/y'],
  cache_to: ['type=registry,ref=x'],
  secrets: [{ source: 's', target: 't' }, { source: 'f' }],
  ssh: { default: null, k: '/p' },
  tags: ['a/b'],
  extra_hosts: { h: ['1.1.1.1', '2.2.2.2'] },
  platforms: ['linux/amd64', 'linux/arm64'],
  no_cache: true,
  pull: true,
  network: 'host',
  shm_size: '67108864',
  ulimits: { nofile: { soft: 1, hard: 2 }, nproc: 100 },
  entitlements: ['network.host'],
  privileged: true,
  provenance: 'mode=max',
  sbom: 'true',
};

function bakeOf(services: Project['services'], options = plain) {
  const project: Project = {
    name: 'shop',
    services,
    secrets: { s: { name: 's', environment: 'HOME' }, f: { name: 'f', file: '/srv/f' } },
  };
  return bakeFile(project, Object.keys(services), options) as {
    group: unknown;
    target: Record<string, Record<string, unknown>>;
  };
}

function labels(service: string): Record<string, string> {
  return {
    'com.docker.compose.project': 'shop',
    'com.docker.compose.service': service,
    'com.docker.compose.version': '2.40.3',
  };
}
