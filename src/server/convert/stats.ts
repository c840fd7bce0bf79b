import type { BlkioEntry, ContainerStats, CpuStats } from '../../api/containers.ts';
import type { ContainerStatsSample } from '../../engine/engine.ts';
import { goTime, zeroTime } from './time.ts';

/**
 * One line of `docker stats`, from two samples: clients compute the CPU percentage from their difference.
 * @param before undefined: the first line of a stream, or a one-shot
 */
export function statsToWire(
  sample: ContainerStatsSample,
  before: ContainerStatsSample | undefined,
): ContainerStats {
  const { running, memory } = sample;
  return {
    name: `/${sample.name}`,
    id: sample.id,
    read: running ? goTime(sample.readMs) : zeroTime,
    preread: before?.running === true ? goTime(before.readMs) : zeroTime,
    num_procs: 0,
    pids_stats: running ? pidsStats(sample) : {},
    ...(Object.keys(sample.networks).length > 0 ? { networks: networksStats(sample) } : {}),
    memory_stats: running
      ? {
          usage: memory.usageBytes,
          // Counters of cgroup v1 alone.
          ...(memory.maxUsageBytes > 0 ? { max_usage: memory.maxUsageBytes } : {}),
          stats: exact(memory.stats),
          ...(memory.failures > 0 ? { failcnt: memory.failures } : {}),
          limit: memory.limitBytes,
        }
      : {},
    blkio_stats: blkioStats(sample),
    cpu_stats: running ? cpuStats(sample) : noCpuStats,
    precpu_stats: before?.running === true ? cpuStats(before) : noCpuStats,
    storage_stats: {},
  };
}

/**
 * "No limit" is the largest multiple of a page below 2^63: JSON.stringify would write the shortest decimal that is
 * nearest to it, which is another integer.
 */
function exact(stats: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(stats).map(([name, value]) => [
      name,
      Number.isInteger(value) && !Number.isSafeInteger(value)
        ? (rawJson(String(BigInt(value))) as number)
        : value,
    ]),
  );
}

/** TypeScript's library does not know it yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

const noCpuStats: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

function cpuStats({ cpu }: ContainerStatsSample): CpuStats {
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      ...(cpu.perCpuNs.length > 0 ? { percpu_usage: cpu.perCpuNs } : {}),
      usage_in_kernelmode: cpu.kernelNs,
      usage_in_usermode: cpu.userNs,
    },
    system_cpu_usage: cpu.systemNs,
    online_cpus: cpu.onlineCpus,
    throttling_data: {
      periods: cpu.throttlePeriods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

function pidsStats({ pids }: ContainerStatsSample): ContainerStats['pids_stats'] {
  return { current: pids.current, ...(pids.limit > 0 ? { limit: pids.limit } : {}) };
}

function blkioStats(sample: ContainerStatsSample): ContainerStats['blkio_stats'] {
  const { running, blockIo, cgroupVersion } = sample;
  const entries = (value: (entry: (typeof blockIo)[number]) => number): BlkioEntry[] | null =>
    running
      ? blockIo.map(entry => ({ major: entry.major, minor: entry.minor, op: entry.op, value: value(entry) }))
      : null;
  // Counted by schedulers that are gone from the kernel: cgroup v1 has the lists still, v2 has none.
  const gone = running && cgroupVersion === 1 ? [] : null;
  return {
    io_service_bytes_recursive: entries(entry => entry.bytes),
    io_serviced_recursive: entries(entry => entry.operations),
    io_queue_recursive: gone,
    io_service_time_recursive: gone,
    io_wait_time_recursive: gone,
    io_merged_recursive: gone,
    io_time_recursive: gone,
    sectors_recursive: gone,
  };
}

function networksStats({ networks }: ContainerStatsSample): ContainerStats['networks'] {
  return Object.fromEntries(
    Object.entries(networks).map(([name, one]) => [
      name,
      {
        rx_bytes: one.rxBytes,
        rx_packets: one.rxPackets,
        rx_errors: one.rxErrors,
        rx_dropped: one.rxDropped,
        tx_bytes: one.txBytes,
        tx_packets: one.txPackets,
        tx_errors: one.txErrors,
        tx_dropped: one.txDropped,
      },
    ]),
  );
}
