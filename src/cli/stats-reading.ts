import type { BlkioStats, ContainerStats, CpuStats, MemoryStats } from '../api/containers.ts';

/** What one sample says, in the figures people want. */
export interface StatsReading {
  /** As it was asked for. */
  container: string;
  id: string;
  name: string;
  cpuPercent: number;
  memoryBytes: number;
  memoryLimitBytes: number;
  memoryPercent: number;
  receivedBytes: number;
  sentBytes: number;
  readBytes: number;
  writtenBytes: number;
  processes: number;
}

export function readingOf(container: string, stats: ContainerStats): StatsReading {
  const networks = Object.values(stats.networks ?? {});
  const memoryBytes = memoryWithoutCache(stats.memory_stats);
  const memoryLimitBytes = Number(stats.memory_stats.limit ?? 0);
  return {
    container,
    id: stats.id ?? '',
    name: stats.name ?? '',
    cpuPercent: cpuPercent(stats.precpu_stats, stats.cpu_stats),
    memoryBytes,
    memoryLimitBytes,
    memoryPercent: memoryLimitBytes === 0 ? 0 : (memoryBytes / memoryLimitBytes) * 100,
    receivedBytes: networks.reduce((sum, network) => sum + Number(network.rx_bytes), 0),
    sentBytes: networks.reduce((sum, network) => sum + Number(network.tx_bytes), 0),
    readBytes: blockBytes(stats.blkio_stats, 'r'),
    writtenBytes: blockBytes(stats.blkio_stats, 'w'),
    processes: Number(stats.pids_stats?.current ?? 0),
  };
}

/** The share of one processor: 200 % are two of them kept busy. */
function cpuPercent(before: CpuStats, now: CpuStats): number {
  const used = Number(now.cpu_usage.total_usage) - Number(before.cpu_usage?.total_usage ?? 0);
  const passed = Number(now.system_cpu_usage ?? 0) - Number(before.system_cpu_usage ?? 0);
  const cpus = now.online_cpus || now.cpu_usage.percpu_usage?.length || 0;
  return used > 0 && passed > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Pages the kernel would give up at once do not count: total_inactive_file on cgroup v1, inactive_file on v2. */
function memoryWithoutCache({ usage = 0, stats = {} }: MemoryStats): number {
  const cache = stats['total_inactive_file'] ?? stats['inactive_file'] ?? 0;
  return cache < usage ? Number(usage) - Number(cache) : Number(usage);
}

function blockBytes({ io_service_bytes_recursive: entries }: BlkioStats, direction: 'r' | 'w'): number {
  return (entries ?? [])
    .filter(({ op }) => op.toLowerCase().startsWith(direction))
    .reduce((sum, { value }) => sum + Number(value), 0);
}
