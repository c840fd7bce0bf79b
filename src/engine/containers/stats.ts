import { totalmem } from 'node:os';
import type { BlkioEntry, ContainerStats } from '../../runtime/stats.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerStatsSample } from '../engine.ts';
import { hasOwnNetwork, namespacePathOf } from './network.ts';
import { isUp } from './stop.ts';

/** One reading of all counters. A container that does not run has zeros, as in Docker. */
export async function readStats(context: EngineContext, ref: string): Promise<ContainerStatsSample> {
  const record = context.containers.get(ref);
  const common = { readMs: Date.now(), id: record.id, name: record.name };
  if (!isUp(record) || record.state.pid === 0) return { ...common, running: false, ...nothing };
  const networks = hasOwnNetwork(record) ? context.network.statistics(namespacePathOf(record.state.pid)) : [];
  return {
    ...common,
    running: true,
    ...countersOf(context.runtime.stats(record.id)),
    networks: Object.fromEntries(networks.map(({ name, ...counters }) => [name, counters])),
  };
}

function countersOf(
  stats: ContainerStats,
): Pick<ContainerStatsSample, 'cgroupVersion' | 'cpu' | 'memory' | 'pids' | 'blockIo'> {
  const { cpu, memory, pids, blkio } = stats;
  return {
    cgroupVersion: stats.cgroupVersion,
    cpu: {
      totalNs: cpu.totalNs,
      userNs: cpu.userNs,
      kernelNs: cpu.systemNs,
      perCpuNs: cpu.perCpuNs ?? [],
      systemNs: cpu.hostTotalNs,
      onlineCpus: cpu.onlineCpus,
      throttlePeriods: cpu.throttling.periods,
      throttledPeriods: cpu.throttling.throttledPeriods,
      throttledNs: cpu.throttling.throttledNs,
    },
    memory: {
      usageBytes: memory.usageBytes,
      maxUsageBytes: memory.maxUsageBytes ?? 0,
      // Docker shows the machine's memory as the limit of what is not limited.
      limitBytes: memory.limitBytes ?? totalmem(),
      failures: memory.failcnt ?? 0,
      stats: memory.stats,
    },
    pids: { current: pids.current, limit: pids.limit ?? 0 },
    blockIo: blkio.serviceBytes.map(entry => ({
      major: entry.major,
      minor: entry.minor,
      op: entry.op,
      bytes: entry.value,
      operations: operationsOf(blkio.serviced, entry),
    })),
  };
}

function operationsOf(entries: readonly BlkioEntry[], wanted: BlkioEntry): number {
  const { major, minor, op } = wanted;
  return entries.find(entry => entry.major === major && entry.minor === minor && entry.op === op)?.value ?? 0;
}

const nothing: Omit<ContainerStatsSample, 'readMs' | 'id' | 'name' | 'running'> = {
  cgroupVersion: 1,
  cpu: {
    totalNs: 0,
    userNs: 0,
    kernelNs: 0,
    perCpuNs: [],
    systemNs: 0,
    onlineCpus: 0,
    throttlePeriods: 0,
    throttledPeriods: 0,
    throttledNs: 0,
  },
  memory: { usageBytes: 0, maxUsageBytes: 0, limitBytes: 0, failures: 0, stats: {} },
  pids: { current: 0, limit: 0 },
  blockIo: [],
  networks: {},
};
