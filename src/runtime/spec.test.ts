import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyLimit } from '../../test/support/kernel-limits.ts';
import { defaultCapabilities, knownCapabilities, planCapabilities } from './capabilities.ts';
import type { HostFacts } from './host-facts.ts';
import { defaultSeccompProfile, planSeccomp } from './seccomp.ts';
import { parseDeviceRule, planResources, planSpec, type SpecInput } from './spec.ts';
import { classifyStartFailure } from './start-error.ts';

const host: HostFacts = {
  architecture: 'amd64',
  kernel: { major: 6, minor: 1 },
  capabilities: [...knownCapabilities],
  cgroupVersion: 1,
  limits: { ...everyLimit },
  apparmor: false,
  throttlePaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};

function input(more: Partial<SpecInput> = {}): SpecInput {
  return {
    id: 'c1',
    rootfs: '/root/merged',
    hostname: 'web',
    process: {
      args: ['nginx'],
      env: ['A=b'],
      cwd: '',
      uid: 0,
      gid: 0,
      tty: false,
      capabilities: { add: [], drop: [], privileged: false },
    },
    mounts: [],
    shmSizeBytes: 64 << 20,
    namespaces: {
      pid: 'private',
      ipc: 'private',
      uts: 'private',
      network: 'private',
      cgroup: 'host',
      user: 'host',
    },
    resources: {},
    cgroupsPath: '/gantry/c1',
    security: { seccomp: 'default' },
    ...more,
  };
}

test("a plain container has Docker's defaults", () => {
  const { process, linux, mounts, hostname } = planSpec(input(), host);
  assert.equal(hostname, 'web');
  assert.equal(process.cwd, '/');
  assert.deepEqual(process.capabilities?.bounding, defaultCapabilities);
  assert.deepEqual(
    linux.namespaces.map(({ type }) => type),
    ['mount', 'network', 'uts', 'pid', 'ipc'],
  );
  assert.deepEqual(
    mounts.map(({ destination }) => destination),
    ['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'],
  );
  assert.deepEqual(mounts.at(-1)?.options, ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=67108864']);
  assert.ok(linux.maskedPaths?.includes('/proc/kcore') && linux.maskedPaths.includes(host.throttlePaths[0]!));
  assert.deepEqual(linux.resources.devices?.[0], { allow: false, access: 'rwm' });
  assert.deepEqual(linux.sysctl, {
    'net.ipv4.ping_group_range': '0 2147483647',
    'net.ipv4.ip_unprivileged_port_start': '0',
  });
  assert.equal(linux.seccomp?.defaultErrnoRet, 1);
});

test('a privileged one has none of the walls', () => {
  const process = { ...input().process, capabilities: { add: [], drop: ['ALL'], privileged: true } };
  const { process: planned, linux, mounts } = planSpec(input({ privileged: true, process }), host);
  assert.deepEqual(planned.capabilities?.bounding, host.capabilities);
  assert.deepEqual([linux.maskedPaths, linux.readonlyPaths, linux.seccomp], [[], [], undefined]);
  assert.deepEqual(linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  for (const path of ['/sys', '/sys/fs/cgroup']) {
    assert.ok(!mounts.find(({ destination }) => destination === path)?.options?.includes('ro'), path);
  }
});

test("the caller's mounts replace defaults; init and host namespaces show", () => {
  const dev = { destination: '/dev', type: 'bind', source: '/dev', options: ['rbind'] };
  const namespaces = { ...input().namespaces, uts: 'host', network: { path: '/proc/7/ns/net' } } as const;
  const spec = planSpec(input({ mounts: [dev], init: '/usr/bin/tini', namespaces }), host);
  assert.deepEqual(
    spec.mounts.map(({ destination }) => destination),
    ['/proc', '/sys', '/sys/fs/cgroup', '/dev', '/sbin/docker-init'],
  );
  assert.deepEqual(spec.process.args, ['/sbin/docker-init', '--', 'nginx']);
  assert.equal(spec.hostname, undefined);
  assert.deepEqual(spec.linux.namespaces[1], { type: 'network', path: '/proc/7/ns/net' });
  assert.deepEqual(spec.linux.sysctl, {});
  assert.throws(
    () => planSpec(input({ namespaces, domainname: 'd' }), host),
    /"kernel.domainname" is not in/,
  );
  assert.ok(!planSpec(input({ shmSizeBytes: null }), host).mounts.some(({ source }) => source === 'shm'));
});

test('limits', () => {
  const resources = {
    memoryBytes: 1024,
    memorySwapBytes: -1,
    memorySwappiness: 0,
    nanoCpus: 1_500_000_000,
    pidsLimit: 7,
  };
  assert.deepEqual(planResources(resources, host), {
    memory: { limit: 1024, swap: -1, swappiness: 0 },
    cpu: { period: 100_000, quota: 150_000 },
    pids: { limit: 7 },
  });
  assert.deepEqual(planResources(resources, { ...host, cgroupVersion: 2 }).memory, { limit: 1024, swap: -1 });
  assert.deepEqual(planResources(resources, { ...host, limits: { ...everyLimit, swap: false } }).memory, {
    limit: 1024,
    swappiness: 0,
  });
  assert.deepEqual(planResources({}, host), {});
});

test('capabilities by the rules of Docker', () => {
  const plan = (add: string[], drop: string[]) =>
    planCapabilities({ add, drop, privileged: false }, host.capabilities);
  assert.deepEqual(plan(['net_admin'], ['ALL']), ['CAP_NET_ADMIN']);
  assert.equal(plan(['ALL'], ['sys_admin']).length, 40);
  assert.ok(!plan([], ['CAP_CHOWN']).includes('CAP_CHOWN'));
  assert.throws(() => plan(['nope'], []), { kind: 'invalid', message: 'unknown capability: "CAP_NOPE"' });
});

test('seccomp rules count by capability, architecture and kernel', () => {
  const allowed = (capabilities: string[], architecture = 'amd64', kernel = host.kernel) => {
    const plan = planSeccomp(defaultSeccompProfile, { capabilities, architecture, kernel })!;
    return plan
      .syscalls!.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && !args)
      .flatMap(({ names }) => names);
  };
  assert.ok(!allowed([]).includes('mount') && allowed(['CAP_SYS_ADMIN']).includes('mount'));
  assert.ok(allowed([]).includes('arch_prctl') && !allowed([], 'arm64').includes('arch_prctl'));
  assert.ok(
    !allowed([], 'amd64', { major: 4, minor: 7 }).includes('ptrace') && allowed([]).includes('ptrace'),
  );
  const own = planSeccomp(
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ name: 'chmod', action: 'SCMP_ACT_ERRNO' }] },
    { capabilities: [], architecture: 'amd64', kernel: host.kernel },
  );
  assert.deepEqual(own, {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['chmod'], action: 'SCMP_ACT_ERRNO' }],
  });
});

test('device rules', () => {
  assert.deepEqual(parseDeviceRule('c 1:* rw'), {
    allow: true,
    type: 'c',
    major: 1,
    minor: undefined,
    access: 'rw',
  });
  assert.throws(() => parseDeviceRule('x 1:1 r'), {
    message: "invalid device cgroup rule format: 'x 1:1 r'",
  });
});

test('failures of both runtimes are told in the same words', () => {
  const runc = (reason: string) =>
    `time="2026-11-21T06:13:52Z" level=error msg="runc create failed: unable to start container process: ${reason}"\n`;
  const cases: [output: string, program: string, exitCode: number, reason: RegExp][] = [
    [
      'executable file `x` not found in $PATH: No such file or directory\n',
      'x',
      127,
      /exec: "x": executable file not found in \$PATH: unknown$/,
    ],
    [
      runc('exec: \\"x\\": executable file not found in $PATH'),
      'x',
      127,
      /exec: "x": executable file not found in \$PATH: unknown$/,
    ],
    ['open executable: Permission denied', '/x', 126, /exec: "\/x": permission denied: unknown$/],
    ['chdir `/a`: Not a directory', 'x', 127, /not a directory: Are you trying to mount/],
    [runc('exec: \\"/d\\": is a directory'), '/d', 126, /is a directory: permission denied: unknown$/],
    ['cgroup trouble', 'x', 125, /unable to start container process: cgroup trouble: unknown$/],
  ];
  for (const [output, program, exitCode, reason] of cases) {
    const error = classifyStartFailure('create', 'crun', program, output);
    assert.equal(error.exitCode, exitCode, output);
    assert.match(error.message, reason);
  }
});
