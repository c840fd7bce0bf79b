import { totalmem } from 'node:os';
import type { BlkioEntry, ContainerStats } from '../../runtime/stats.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerStatsSample } from '../engine.ts';
import type { ContainerRecord } from './container.ts';
import { hasOwnNetwork, namespacePathOf } from './network.ts';
import { isUp } from './stop.ts';

type Counters = Omit<ContainerStatsSample, 'readMs' | 'id' | 'name' | 'running'>;

/** One reading of all counters. A container that does not run has zeros, as in Docker. @throws notFound */
export function readStats(context: EngineContext, ref: string): ContainerStatsSample {
  const record = context.containers.get(ref);
  const counters = readCounters(context, record);
  return {
    readMs: Date.now(),
    id: record.id,
    name: record.name,
    running: counters !== undefined,
    ...(counters ?? nothing),
  };
}

/** Undefined when it does not run. */
function readCounters(context: EngineContext, record: ContainerRecord): Counters | undefined {
  const { pid } = record.state;
  if (!isUp(record) || pid === 0) return undefined;
  try {
    const networks = usesLinks(context, record) ? context.network.statistics(namespacePathOf(pid)) : [];
    return {
      ...countersOf(context.runtime.stats(record.id)),
      networks: Object.fromEntries(networks.map(({ name, ...counters }) => [name, counters])),
    };
  } catch (error) {
    // Its process has just ended; that is settled next.
    const gone = error instanceof EngineError ? error.kind === 'conflict' : errnoOf(error) === 'ENOENT';
    if (gone) return undefined;
    throw error;
  }
}

/** Whether the links in its namespace are its own, or those of the container it shares the network with. */
function usesLinks(context: EngineContext, record: ContainerRecord): boolean {
  const { networkMode } = record.hostConfig;
  if (!networkMode.startsWith('container:')) return hasOwnNetwork(record);
  const owner = context.containers.find(networkMode.slice('container:'.length));
  return owner !== undefined && usesLinks(context, owner);
}

function countersOf(stats: ContainerStats): Omit<Counters, 'networks'> {
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
      // What is not limited, or to more than there is, is limited by the machine.
      limitBytes: Math.min(memory.limitBytes ?? Infinity, totalmem()),
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

const nothing: Counters = {
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
