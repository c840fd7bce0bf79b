import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostConfig } from '../../../test/support/container-values.ts';
import { everyLimit } from '../../../test/support/kernel-limits.ts';
import { numbersOf, settleResources, updatedResources } from './resource-limits.ts';

const mega = 1024 * 1024;

test('what the kernel has is left as it is, without a word', () => {
  const asked = {
    ...hostConfig(),
    memoryBytes: 64 * mega,
    nanoCpus: 5e8,
    blkioWeight: 300,
    cpusetCpus: '0,2-3',
  };
  assert.deepEqual(settleResources(asked, everyLimit, false), { resources: asked, warnings: [] });
});

test('what the kernel lacks is taken out, each with a warning', () => {
  const nothing = Object.fromEntries(
    Object.entries(everyLimit).map(([name, has]) => [name, typeof has === 'boolean' ? false : has]),
  ) as unknown as typeof everyLimit;
  const device = [{ path: '/dev/vda', rate: 1 }];
  const asked = {
    ...hostConfig(),
    memoryBytes: 64 * mega,
    memoryReservationBytes: 32 * mega,
    memorySwappiness: 5,
    kernelMemoryBytes: 32 * mega,
    oomKillDisable: true,
    pidsLimit: 3,
    cpuShares: 3,
    cpuQuotaUs: 3000,
    cpusetMems: '0',
    blkioWeight: 300,
    blkioWeightDevices: device,
    deviceReadBps: device,
    deviceWriteIops: device,
  };
  const settled = settleResources(asked, nothing, false);
  assert.deepEqual(settled.warnings, [
    'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
    'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
    'Specifying a kernel memory limit is deprecated and will be removed in a future release.',
    'Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
    'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
    'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
    'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
    'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
    'Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.',
    'Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded.',
  ]);
  const none = {
    ...hostConfig(),
    memorySwapBytes: -1,
    memorySwappiness: undefined,
    kernelMemoryBytes: undefined,
  };
  assert.deepEqual(settled.resources, { ...none, oomKillDisable: undefined, pidsLimit: undefined });
});

test("what no kernel could do is refused in Docker's words", () => {
  const refusals: [object, RegExp][] = [
    [{ memoryBytes: mega }, /^Minimum memory limit allowed is 6MB$/],
    [{ kernelMemoryBytes: mega }, /^Minimum kernel memory limit allowed is 6MB$/],
    [{ memoryReservationBytes: mega }, /^Minimum memory reservation allowed is 6MB$/],
    [{ memorySwapBytes: 64 * mega }, /^You should always set the Memory limit when using Memoryswap limit/],
    [{ memoryBytes: 64 * mega, memorySwapBytes: 8 * mega }, /^Minimum memoryswap limit should be larger/],
    [{ memorySwappiness: 101 }, /^Invalid value: 101, valid memory swappiness range is 0-100$/],
    [{ nanoCpus: 5e9 }, /^Range of CPUs is from 0\.01 to 4\.00, as there are only 4 CPUs available$/],
    [
      { nanoCpus: 1e9, cpuPeriodUs: 2000 },
      /^Conflicting options: Nano CPUs and CPU Period cannot both be set$/,
    ],
    [{ cpuPeriodUs: 100 }, /^CPU cfs period can not be less than 1ms/],
    [{ cpuRealtimePeriodUs: 10, cpuRealtimeRuntimeUs: 20 }, /^cpu real-time runtime cannot be higher/],
    [{ cpusetCpus: '4' }, /^Requested CPUs are not available - requested 4, available: 0-3$/],
    [{ cpusetMems: '1' }, /^Requested memory nodes are not available - requested 1, available: 0$/],
    [{ cpusetCpus: '1-' }, /^Invalid value 1- for cpuset cpus: invalid format: 1-$/],
    [{ blkioWeight: 5 }, /^Range of blkio weight is from 10 to 1000$/],
  ];
  for (const [asked, message] of refusals) {
    const refused = { kind: 'invalid', message };
    assert.throws(() => settleResources({ ...hostConfig(), ...asked }, everyLimit, false), refused);
  }
  const unable = { ...everyLimit, cpuRealtime: false };
  assert.throws(() => settleResources({ ...hostConfig(), cpuRealtimeRuntimeUs: 1 }, unable, false), {
    message: 'Your kernel does not support CPU real-time scheduler',
  });
});

test('an update goes with what stays, or is refused', () => {
  const limited = { ...hostConfig(), memoryBytes: 64 * mega, memorySwapBytes: 128 * mega, nanoCpus: 1e9 };
  assert.equal(updatedResources(limited, { memoryBytes: 100 * mega }).memoryBytes, 100 * mega);
  assert.throws(() => updatedResources(limited, { memoryBytes: 256 * mega }), {
    kind: 'conflict',
    message: /^Memory limit should be smaller than already set memoryswap limit/,
  });
  assert.throws(() => updatedResources(limited, { cpuQuotaUs: 5000 }), {
    message: 'Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set',
  });
  assert.throws(() => updatedResources({ ...hostConfig(), cpuPeriodUs: 5000 }, { nanoCpus: 1e9 }), {
    message: 'Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set',
  });
});

test('lists of numbers', () => {
  assert.deepEqual([...numbersOf('0-2,7')!], [0, 1, 2, 7]);
  for (const text of ['', 'a', '3-1', '1,', '-1']) assert.equal(numbersOf(text), undefined);
});
