import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerConfig, containerRecord, hostConfig } from '../../../test/support/container-values.ts';
import type { ContainerRecord, ResolvedMount } from '../containers/container.ts';
import { type EditPlan, planEdit, takesAtMost } from './plan.ts';
import type { EditRequest } from './request.ts';

const noEndpoint = { aliases: [], links: [], driverOptions: {} };

function mount(changes: Partial<ResolvedMount>): ResolvedMount {
  return {
    type: 'volume',
    name: 'data',
    source: '/volumes/data/_data',
    target: '/data',
    driver: 'local',
    mode: 'z',
    readWrite: true,
    propagation: '',
    copyUp: true,
    anonymous: false,
    ...changes,
  };
}

const web: ContainerRecord = containerRecord({
  config: containerConfig({
    hostname: 'web-1',
    env: ['A=1', 'B=2'],
    cmd: ['httpd', '-f'],
    labels: { tier: 'front', owner: 'me' },
    exposedPorts: ['80/tcp'],
  }),
  hostConfig: hostConfig({
    binds: ['data:/data', '/srv:/srv:ro'],
    portBindings: { '80/tcp': [{ hostIp: '', hostPort: '8080' }] },
  }),
  endpoints: { bridge: noEndpoint },
  mounts: [
    mount({}),
    mount({ type: 'bind', name: '', source: '/srv', target: '/srv', mode: 'ro', driver: '' }),
  ],
  path: 'httpd',
  args: ['-f'],
});

function plan(request: Partial<EditRequest>, record = web): EditPlan {
  return planEdit(record, {
    publish: {},
    unpublish: [],
    env: [],
    unsetEnv: [],
    binds: [],
    mounts: [],
    volumes: [],
    unmount: [],
    labels: {},
    removeLabels: [],
    networks: {},
    leaveNetworks: [],
    limits: {},
    ...request,
  });
}

/** One line for each change: what a dry run shows. */
function shown({ changes }: EditPlan): string[] {
  return changes.map(({ subject, text, takes }) => `${subject} ${text} (${takes})`);
}

describe('the plan of an edit', () => {
  test('environment: set, changed, removed; the process has to be a new one', () => {
    const found = plan({ env: ['A=one', 'C=3', 'B=2'], unsetEnv: ['B'] });
    assert.deepEqual(shown(found), [
      'env - B=2 (restart)',
      'env ~ A=1 -> one (restart)',
      'env + C=3 (restart)',
      'env + B=2 (restart)',
    ]);
    assert.deepEqual(found.after.config.env, ['A=one', 'C=3', 'B=2']);
  });

  test('ports change while it runs; what is there already is no change', () => {
    const found = plan({
      publish: {
        '80/tcp': [
          { hostIp: '', hostPort: '8080' },
          { hostIp: '127.0.0.1', hostPort: '' },
        ],
        '53/udp': [{ hostIp: '', hostPort: '53' }],
      },
    });
    assert.deepEqual(shown(found), ['port + 127.0.0.1:any:80/tcp (live)', 'port + 53:53/udp (live)']);
    assert.deepEqual(found.ports.added, [
      { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: '' },
      { containerPort: 53, protocol: 'udp', hostIp: '', hostPort: '53' },
    ]);
    assert.deepEqual(found.after.config.exposedPorts, ['80/tcp', '53/udp']);
  });

  test('a port moves from one container port to another', () => {
    const found = plan({ unpublish: ['80/tcp'], publish: { '81/tcp': [{ hostIp: '', hostPort: '8080' }] } });
    assert.deepEqual(shown(found), ['port - 8080:80/tcp (live)', 'port + 8080:81/tcp (live)']);
    assert.deepEqual(found.ports.removed, ['80/tcp']);
  });

  test('a host port leads to one container port', () => {
    assert.throws(
      () => plan({ publish: { '81/tcp': [{ hostIp: '127.0.0.1', hostPort: '8080' }] } }),
      /host port 127.0.0.1:8080 is published for 80\/tcp/,
    );
  });

  test('what -P published is taken away with its exposure', () => {
    const all = { ...web, hostConfig: hostConfig({ publishAllPorts: true }) };
    const found = plan({ unpublish: ['80/tcp'] }, all);
    assert.deepEqual(shown(found), ['port - 80/tcp (live)']);
    assert.deepEqual(found.after.config.exposedPorts, []);
  });

  test('mounts take the place of what is mounted there', () => {
    const found = plan({
      binds: ['other:/data', '/etc:/host/etc:ro'],
      volumes: ['/cache'],
      unmount: ['/srv'],
    });
    assert.deepEqual(shown(found), [
      'mount - /srv:/srv (restart)',
      'mount + anonymous volume:/cache (restart)',
      'mount ~ data:/data -> other:/data (restart)',
      'mount + /etc:/host/etc:ro (restart)',
    ]);
    assert.deepEqual(found.mounts.kept, []);
    assert.deepEqual(found.after.hostConfig.binds, ['other:/data', '/etc:/host/etc:ro']);
    assert.deepEqual(found.after.config.volumes, ['/cache']);
  });

  test('mounting the same volume again is no change', () => {
    const found = plan({ binds: ['data:/data'] });
    assert.deepEqual(shown(found), []);
    assert.deepEqual(found.after.hostConfig.binds, web.hostConfig.binds);
  });

  test('labels and the restart policy are written down, no more', () => {
    const found = plan({
      labels: { tier: 'back', team: 'a' },
      removeLabels: ['owner'],
      limits: { restartPolicy: { name: 'on-failure', maximumRetryCount: 3 } },
    });
    assert.deepEqual(shown(found), [
      'label - owner=me (nothing)',
      'label ~ tier=front -> back (nothing)',
      'label + team=a (nothing)',
      'restart ~ no -> on-failure:3 (nothing)',
    ]);
    assert.equal(takesAtMost(found.changes), 'nothing');
  });

  test('networks are joined and left while it runs; new settings join anew', () => {
    const found = plan({
      networks: { app: { ...noEndpoint, aliases: ['www'], ipv4Address: '10.0.0.5' } },
      leaveNetworks: ['bridge'],
    });
    assert.deepEqual(shown(found), ['network - bridge (live)', 'network + app alias=www ip=10.0.0.5 (live)']);
    assert.deepEqual(Object.keys(found.after.endpoints), ['app']);
    const again = plan(
      { networks: { app: { ...noEndpoint, aliases: ['new'] } } },
      {
        ...web,
        endpoints: { app: noEndpoint },
      },
    );
    assert.deepEqual(shown(again), ['network ~ app alias=new (live)']);
    assert.deepEqual(again.networks, { left: ['app'], joined: { app: { ...noEndpoint, aliases: ['new'] } } });
  });

  test('limits follow the rules of update', () => {
    const found = plan({ limits: { memoryBytes: 64_000_000, nanoCpus: 5e8 } });
    assert.deepEqual(shown(found), [
      'limit ~ memory unset -> 64000000 (live)',
      'limit ~ cpus unset -> 0.5 (live)',
    ]);
    assert.equal(found.after.hostConfig.memorySwapBytes, 128_000_000);
  });

  test('command and host name', () => {
    const found = plan({ command: ['sleep', '9'], hostname: 'new' });
    assert.deepEqual(shown(found), [
      'command ~ ["httpd","-f"] -> ["sleep","9"] (restart)',
      'hostname ~ web-1 -> new (restart)',
    ]);
    assert.deepEqual([found.after.path, ...found.after.args], ['sleep', '9']);
  });

  test('what is not there cannot be taken away', () => {
    const mistakes: [Partial<EditRequest>, RegExp][] = [
      [{ unpublish: ['81/tcp'] }, /port 81\/tcp is not published/],
      [{ unsetEnv: ['C'] }, /environment variable C is not set/],
      [{ unmount: ['/nowhere'] }, /nothing is mounted at \/nowhere/],
      [{ removeLabels: ['x'] }, /there is no label x/],
      [{ leaveNetworks: ['app'] }, /not connected to network app/],
    ];
    for (const [request, message] of mistakes) assert.throws(() => plan(request), message);
  });

  test('the record stays as it is', () => {
    const before = structuredClone(web);
    plan({ env: ['A=2'], unpublish: ['80/tcp'], unmount: ['/data'], removeLabels: ['tier'] });
    assert.deepEqual(web, before);
  });
});
