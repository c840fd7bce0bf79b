import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerConfig, hostConfig } from '../../../test/support/container-values.ts';
import { parseBind, planMounts } from './mounts.ts';

const binds: [string, object][] = [
  [
    '/src:/dst',
    {
      type: 'bind',
      source: '/src',
      target: '/dst',
      readWrite: true,
      propagation: 'rprivate',
      createSource: true,
    },
  ],
  ['/src/../x:/dst/:ro', { type: 'bind', source: '/x', target: '/dst', readWrite: false, mode: 'ro' }],
  ['data:/data', { type: 'volume', name: 'data', target: '/data', copyUp: true, driver: 'local', mode: 'z' }],
  ['data:/data:nocopy,ro', { type: 'volume', name: 'data', copyUp: false, readWrite: false }],
  ['/data', { type: 'volume', name: '', target: '/data', anonymous: true }],
  ['/src:/dst:rslave', { propagation: 'rslave' }],
];
for (const [spec, wanted] of binds) {
  test(`bind ${spec}`, () => {
    const mount = parseBind(spec, '') as unknown as Record<string, unknown>;
    for (const [key, value] of Object.entries(wanted)) assert.deepEqual(mount[key], value, key);
  });
}

for (const [spec, message] of [
  ['', /invalid volume specification/],
  ['a:b:c:d', /invalid volume specification/],
  ['/a:relative', /mount path must be absolute/],
  ['/a:/', /destination can't be '\/'/],
  ['/a:/b:rw,ro', /invalid mode: rw,ro/],
  ['/a:/b:wrong', /invalid mode: wrong/],
  ['v:/b:rslave', /field BindOptions must not be specified/],
  ['./here:/b', /includes invalid characters for a local volume name/],
] as const) {
  test(`bind "${spec}" is refused`, () => assert.throws(() => parseBind(spec, ''), message));
}

test('what the caller names wins over --volumes-from, and that over the image', () => {
  const other = [
    { ...parseBind('shared:/data', ''), source: '/volumes/shared' },
    { ...parseBind('logs:/logs', ''), source: '/volumes/logs' },
  ];
  const mounts = planMounts(
    containerConfig({ volumes: ['/data', '/cache', 'logs/'] }),
    hostConfig({ binds: ['mine:/data'], volumesFrom: ['other:ro'] }),
    () => other,
  );
  assert.deepEqual(
    mounts.map(mount => [mount.target, mount.name, mount.readWrite, mount.anonymous]),
    [
      ['/cache', '', true, true],
      ['/data', 'mine', true, false],
      ['/logs', 'logs', false, false],
    ],
  );
});

test('parents are mounted before what is below them', () => {
  const mounts = planMounts(containerConfig(), hostConfig({ binds: ['/x:/a/b', '/y:/a'] }), () => []);
  assert.deepEqual(
    mounts.map(mount => mount.target),
    ['/a', '/a/b'],
  );
});

test('a target named twice is refused', () => {
  assert.throws(
    () => planMounts(containerConfig(), hostConfig({ binds: ['/x:/a', 'v:/a'] }), () => []),
    /Duplicate mount point: \/a/,
  );
});

test('a tmpfs mount takes no options but exec and noexec', () => {
  const plan = (...options: string[][]) =>
    planMounts(
      containerConfig(),
      hostConfig({
        mounts: [{ type: 'tmpfs', source: '', target: '/t', readOnly: false, tmpfs: { options } }],
      }),
      () => [],
    );
  assert.deepEqual(plan(['exec'])[0]?.tmpfsOptions, ['nosuid', 'nodev', 'rw', 'exec']);
  const prefix = 'invalid mount config for type "tmpfs"';
  assert.throws(() => plan(['size', '5']), { message: `${prefix}: invalid option: size` });
  assert.throws(() => plan(['exec'], []), { message: `${prefix}: invalid option array length` });
});

test('tmpfs has Docker’s options unless others are asked for', () => {
  const [mount] = planMounts(containerConfig(), hostConfig({ tmpfs: { '/t': 'size=1m,exec' } }), () => []);
  assert.deepEqual(mount?.tmpfsOptions, ['nosuid', 'nodev', 'size=1m', 'exec']);
});
