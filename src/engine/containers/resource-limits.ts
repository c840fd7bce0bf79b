import type { KernelLimits } from '../../runtime/kernel-limits.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Resources } from './config.ts';

const smallestMemoryBytes = 6 * 1024 * 1024;

/**
 * Checks limits, and takes out those that this kernel does not have: each of these is a warning. In Docker's order,
 * and in its words.
 * @param changing they are an update's own: what they do not say stays as it is.
 * @throws invalid
 */
export function settleResources<R extends Resources>(
  asked: R,
  kernel: KernelLimits,
  changing: boolean,
): { resources: R; warnings: string[] } {
  const resources = { ...asked };
  const warnings: string[] = [];
  settleMemory(resources, kernel, changing, warnings);
  if ((resources.pidsLimit ?? 0) > 0 && !kernel.pids) {
    warnings.push(`${lacks('PIDs limit capabilities')} PIDs limit discarded.`);
    resources.pidsLimit = undefined;
  }
  settleCpu(resources, kernel, warnings);
  settleCpuset(resources, kernel, warnings);
  settleBlockIo(resources, kernel, warnings);
  return { resources, warnings };
}

function settleMemory(
  resources: Resources,
  kernel: KernelLimits,
  changing: boolean,
  warnings: string[],
): void {
  if (resources.memoryBytes !== 0 && resources.memoryBytes < smallestMemoryBytes) {
    throw invalid('Minimum memory limit allowed is 6MB');
  }
  if (resources.memoryBytes > 0 && !kernel.memory) {
    warnings.push(`${lacks('memory limit capabilities')} Limitation discarded.`);
    Object.assign(resources, { memoryBytes: 0, memorySwapBytes: -1 });
  }
  if (resources.memoryBytes > 0 && resources.memorySwapBytes !== -1 && !kernel.swap) {
    warnings.push(`${lacks('swap limit capabilities')} Memory limited without swap.`);
    resources.memorySwapBytes = -1;
  }
  const { memoryBytes, memorySwapBytes, memorySwappiness } = resources;
  if (memoryBytes > 0 && memorySwapBytes > 0 && memorySwapBytes < memoryBytes) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memoryBytes === 0 && memorySwapBytes > 0 && !changing) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (memorySwappiness !== undefined && !kernel.memorySwappiness) {
    warnings.push(`${lacks('memory swappiness capabilities')} Memory swappiness discarded.`);
    resources.memorySwappiness = undefined;
  } else if (memorySwappiness !== undefined && (memorySwappiness < 0 || memorySwappiness > 100)) {
    throw invalid(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  settleReservation(resources, kernel, warnings);
  settleKernelMemory(resources, warnings);
  settleOomKiller(resources, kernel, warnings);
}

function settleReservation(resources: Resources, kernel: KernelLimits, warnings: string[]): void {
  if (resources.memoryReservationBytes > 0 && !kernel.memoryReservation) {
    warnings.push(`${lacks('memory soft limit capabilities')} Limitation discarded.`);
    resources.memoryReservationBytes = 0;
  }
  const { memoryBytes, memoryReservationBytes } = resources;
  if (memoryReservationBytes !== 0 && memoryReservationBytes < smallestMemoryBytes) {
    throw invalid('Minimum memory reservation allowed is 6MB');
  }
  if (memoryBytes > 0 && memoryReservationBytes > memoryBytes) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

/** Linux 5.16 took the limit out, OCI runtimes do not write it any more, and cgroup v2 never had one. */
function settleKernelMemory(resources: Resources, warnings: string[]): void {
  const { kernelMemoryBytes = 0 } = resources;
  if (kernelMemoryBytes === 0) return;
  if (kernelMemoryBytes < smallestMemoryBytes) throw invalid('Minimum kernel memory limit allowed is 6MB');
  warnings.push(
    'Specifying a kernel memory limit is deprecated and will be removed in a future release.',
    `${lacks('kernel memory limit capabilities')} Limitation discarded.`,
  );
  resources.kernelMemoryBytes = undefined;
}

function settleOomKiller(resources: Resources, kernel: KernelLimits, warnings: string[]): void {
  if (!kernel.oomKillDisable) {
    if (resources.oomKillDisable === true) {
      warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
    }
    resources.oomKillDisable = undefined;
  } else if (resources.oomKillDisable === true && resources.memoryBytes === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
}

function settleCpu(resources: Resources, kernel: KernelLimits, warnings: string[]): void {
  const { nanoCpus, cpuRealtimePeriodUs, cpuRealtimeRuntimeUs } = resources;
  if (nanoCpus > 0 && resources.cpuPeriodUs > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (nanoCpus > 0 && resources.cpuQuotaUs > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  if (nanoCpus > 0 && !kernel.cpuCfs) {
    throw invalid(
      'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
    );
  }
  const cpus = numbersOf(kernel.cpus)?.size || 1;
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9) {
    throw invalid(`Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (resources.cpuShares > 0 && !kernel.cpuShares) {
    warnings.push('Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.');
    resources.cpuShares = 0;
  }
  // The kernel's words: dockerd hears of it from the runtime only.
  if (resources.cpuShares < 0) throw invalid('shares: invalid argument');
  if ((resources.cpuPeriodUs !== 0 || resources.cpuQuotaUs !== 0) && !kernel.cpuCfs) {
    warnings.push('Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.');
    Object.assign(resources, { cpuPeriodUs: 0, cpuQuotaUs: 0 });
  }
  const { cpuPeriodUs, cpuQuotaUs } = resources;
  if (cpuPeriodUs !== 0 && (cpuPeriodUs < 1000 || cpuPeriodUs > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (cpuQuotaUs > 0 && cpuQuotaUs < 1000) {
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
  if ((cpuRealtimePeriodUs !== 0 || cpuRealtimeRuntimeUs !== 0) && !kernel.cpuRealtime) {
    throw invalid('Your kernel does not support CPU real-time scheduler');
  }
  if (cpuRealtimePeriodUs !== 0 && cpuRealtimeRuntimeUs > cpuRealtimePeriodUs) {
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period');
  }
}

function settleCpuset(resources: Resources, kernel: KernelLimits, warnings: string[]): void {
  if ((resources.cpusetCpus !== '' || resources.cpusetMems !== '') && !kernel.cpuset) {
    warnings.push('Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.');
    Object.assign(resources, { cpusetCpus: '', cpusetMems: '' });
  }
  requireAvailable('CPUs', 'cpuset cpus', resources.cpusetCpus, kernel.cpus);
  requireAvailable('memory nodes', 'cpuset mems', resources.cpusetMems, kernel.memoryNodes);
}

function requireAvailable(what: string, field: string, asked: string, available: string): void {
  if (asked === '') return;
  const numbers = numbersOf(asked);
  if (numbers === undefined) {
    throw invalid(`Invalid value ${asked} for ${field}: invalid format: ${asked}`);
  }
  const there = numbersOf(available) ?? new Set();
  if ([...numbers].every(number => there.has(number))) return;
  throw invalid(`Requested ${what} are not available - requested ${asked}, available: ${available}`);
}

/** `0-2,7` as numbers; undefined when it is no such list. */
export function numbersOf(text: string): Set<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const range = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    if (range === null) return undefined;
    const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])];
    if (last < first) return undefined;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}

function settleBlockIo(resources: Resources, kernel: KernelLimits, warnings: string[]): void {
  if (resources.blkioWeight > 0 && !kernel.blkioWeight) {
    warnings.push(`${lacks('Block I/O weight')} Weight discarded.`);
    resources.blkioWeight = 0;
  }
  if (resources.blkioWeight !== 0 && (resources.blkioWeight < 10 || resources.blkioWeight > 1000)) {
    throw invalid('Range of blkio weight is from 10 to 1000');
  }
  if (resources.blkioWeightDevices.length > 0 && !kernel.blkioWeightDevice) {
    warnings.push(`${lacks('Block I/O weight_device')} Weight-device discarded.`);
    resources.blkioWeightDevices = [];
  }
  if (kernel.blkioThrottle) return;
  for (const [field, inWarning, discarded] of throttles) {
    if (resources[field].length === 0) continue;
    warnings.push(`${lacks(inWarning)} Block I/O ${discarded} limit discarded.`);
    resources[field] = [];
  }
}

const throttles = [
  ['deviceReadBps', 'BPS Block I/O read limit', 'BPS read'],
  ['deviceWriteBps', 'BPS Block I/O write limit', 'BPS write'],
  ['deviceReadIops', 'IOPS Block read limit', 'IOPS read'],
  ['deviceWriteIops', 'IOPS Block write limit', 'IOPS write'],
] as const;

/**
 * What an update makes of the limits a container has.
 * @throws conflict when the new ones do not go with those that stay
 */
export function updatedResources<R extends Resources>(current: R, changes: Partial<Resources>): R {
  const conflict = (message: string) => new EngineError('conflict', message);
  const conflicts: [keyof Resources, string, keyof Resources, string][] = [
    ['nanoCpus', 'Nano CPUs', 'cpuPeriodUs', 'CPU Period'],
    ['nanoCpus', 'Nano CPUs', 'cpuQuotaUs', 'CPU Quota'],
    ['cpuPeriodUs', 'CPU Period', 'nanoCpus', 'NanoCPUs'],
    ['cpuQuotaUs', 'CPU Quota', 'nanoCpus', 'NanoCPUs'],
  ];
  for (const [field, what, other, already] of conflicts) {
    if (Number(changes[field] ?? 0) > 0 && Number(current[other]) > 0) {
      throw conflict(`Conflicting options: ${what} cannot be updated as ${already} has already been set`);
    }
  }
  if (changes.memoryBytes && changes.memoryBytes > current.memorySwapBytes && !changes.memorySwapBytes) {
    throw conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  }
  const networkBandwidth = changes.networkBandwidth && {
    up: changes.networkBandwidth.up ?? current.networkBandwidth?.up,
    down: changes.networkBandwidth.down ?? current.networkBandwidth?.down,
  };
  return { ...current, ...changes, ...(networkBandwidth && { networkBandwidth }) };
}

function lacks(what: string): string {
  return `Your kernel does not support ${what} or the cgroup is not mounted.`;
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
