import assert from 'node:assert/strict';
import test from 'node:test';
import { diagnose, type HostFacts } from './doctor-checks.ts';

const healthy: HostFacts = {
  kernelRelease: '5.10.0-8-amd64',
  filesystems: 'nodev\toverlay\n',
  cgroupMounts: [{ type: 'cgroup2', path: '/sys/fs/cgroup', options: 'rw' }],
  namespaces: ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'],
  programs: {
    conmon: { path: '/usr/bin/conmon', version: '2.1.6' },
    crun: { path: '/usr/bin/crun', version: '1.8.1' },
    mmdebstrap: { path: '/usr/bin/mmdebstrap', version: '1.3.5' },
  },
  libraries: { libnftables: '/usr/lib/x86_64-linux-gnu/libnftables.so.1' },
  nodeVersion: 'v26.10.0',
  ipForward: '1',
  uid: 0,
  freeBytes: 50 * 1024 ** 3,
  freeInodesShare: 0.9,
  dataRoot: '/var/lib/gantry',
  socket: { path: 'unix:///run/gantry/gantry.sock', answers: true, why: '' },
  inotifyInstances: 1024,
  inotifyWatches: 65536,
  openFiles: 1048576,
};

test('a healthy host has nothing to mend', () => {
  assert.deepEqual(
    diagnose(healthy).filter(({ state, remedy }) => state !== 'ok' || remedy !== undefined),
    [],
  );
});

const hybrid = ['memory', 'cpu,cpuacct', 'pids', 'devices', 'freezer'].map(options => ({
  type: 'cgroup',
  path: `/sys/fs/cgroup/${options}`,
  options: `rw,${options}`,
}));

for (const [what, change, name, state] of [
  ['an old kernel', { kernelRelease: '4.19.0' }, 'kernel', 'missing'],
  ['a kernel just too old', { kernelRelease: '5.9.16' }, 'kernel', 'missing'],
  ['not root', { uid: 1000 }, 'root', 'missing'],
  ['no overlay', { filesystems: 'ext4\n' }, 'overlayfs', 'missing'],
  ['no cgroups', { cgroupMounts: [] }, 'cgroups', 'missing'],
  [
    'a hybrid without pids',
    { cgroupMounts: hybrid.filter(({ options }) => !options.includes('pids')) },
    'cgroups',
    'missing',
  ],
  ['a hybrid without hugetlb', { cgroupMounts: hybrid }, 'cgroup hugetlb', 'warning'],
  [
    'no user namespaces',
    { namespaces: healthy.namespaces.filter(one => one !== 'user') },
    'namespaces',
    'warning',
  ],
  ['no monitor', { programs: { crun: healthy.programs['crun'] } }, 'conmon', 'missing'],
  ['no runtime', { programs: { conmon: healthy.programs['conmon'] } }, 'OCI runtime', 'missing'],
  ['no nftables', { libraries: {} }, 'libnftables', 'missing'],
  ['a full disk', { freeBytes: 1000 }, 'disk space', 'warning'],
  ['an old Node', { nodeVersion: 'v20.1.0' }, 'Node', 'missing'],
  ['few open files', { openFiles: 1024 }, 'limits', 'warning'],
] as const) {
  test(`${what} is found, with a remedy`, () => {
    const found = diagnose({ ...healthy, ...change } as HostFacts).find(finding => finding.name === name);
    assert.equal(found?.state, state);
    assert.ok(found?.remedy);
  });
}
