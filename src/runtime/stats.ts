import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type CgroupLayout, controllerDirectory, readCgroupFile } from '../linux/cgroups.ts';

/** What a container uses. Fields that this cgroup version does not have are absent. */
export interface ContainerStats {
  cgroupVersion: 1 | 2;
  readAtMs: number;
  cpu: {
    totalNs: number;
    userNs: number;
    systemNs: number;
    /** v1 only. */
    perCpuNs?: number[];
    /** Of the whole host, since boot. */
    hostTotalNs: number;
    onlineCpus: number;
    throttling: { periods: number; throttledPeriods: number; throttledNs: number };
  };
  memory: {
    usageBytes: number;
    /** v1 only. */
    maxUsageBytes?: number;
    /** Undefined: not limited. */
    limitBytes?: number;
    /** v1 only: how often the limit was hit. */
    failcnt?: number;
    /** memory.stat */
    stats: Record<string, number>;
  };
  pids: { current: number; limit?: number };
  blkio: { serviceBytes: BlkioEntry[]; serviced: BlkioEntry[] };
}

export interface BlkioEntry {
  major: number;
  minor: number;
  /** `read`, `write`, ... */
  op: string;
  value: number;
}

/** @returns undefined when the cgroup is gone. */
export function readStats(layout: CgroupLayout, path: string): ContainerStats | undefined {
  return layout.version === 2 ? readUnified(layout, path) : readV1(layout, path);
}

/** Processes that the kernel killed in the cgroup for want of memory. */
export function oomKills(layout: CgroupLayout, path: string): number {
  const directory = controllerDirectory(layout, 'memory', path);
  if (directory === undefined) return 0;
  const file = layout.version === 2 ? 'memory.events' : 'memory.oom_control';
  return keyed(readCgroupFile(directory, file))['oom_kill'] ?? 0;
}

/** The most memory that was ever in use; undefined where the kernel does not keep it (v2 before 5.19). */
export function memoryPeak(layout: CgroupLayout, path: string): number | undefined {
  const directory = controllerDirectory(layout, 'memory', path);
  if (directory === undefined) return undefined;
  const file = layout.version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
  return number(readCgroupFile(directory, file));
}

function readV1(layout: CgroupLayout, path: string): ContainerStats | undefined {
  const read = (controller: string, file: string) => {
    const directory = controllerDirectory(layout, controller, path);
    return directory === undefined ? undefined : readCgroupFile(directory, file);
  };
  const totalNs = read('cpuacct', 'cpuacct.usage');
  const usage = read('memory', 'memory.usage_in_bytes');
  if (totalNs === undefined && usage === undefined) return undefined;
  const throttling = keyed(read('cpu', 'cpu.stat'));
  const limit = number(read('memory', 'memory.limit_in_bytes'));
  return {
    cgroupVersion: 1,
    readAtMs: Date.now(),
    cpu: {
      totalNs: number(totalNs) ?? 0,
      userNs: number(read('cpuacct', 'cpuacct.usage_user')) ?? 0,
      systemNs: number(read('cpuacct', 'cpuacct.usage_sys')) ?? 0,
      perCpuNs: (read('cpuacct', 'cpuacct.usage_percpu') ?? '').split(/\s+/).filter(Boolean).map(Number),
      ...hostCpu(),
      throttling: {
        periods: throttling['nr_periods'] ?? 0,
        throttledPeriods: throttling['nr_throttled'] ?? 0,
        throttledNs: throttling['throttled_time'] ?? 0,
      },
    },
    memory: {
      usageBytes: number(usage) ?? 0,
      maxUsageBytes: number(read('memory', 'memory.max_usage_in_bytes')) ?? 0,
      // "Unlimited" reads as the largest multiple of a page below 2^63.
      ...(limit !== undefined && limit < 2 ** 62 ? { limitBytes: limit } : {}),
      failcnt: number(read('memory', 'memory.failcnt')) ?? 0,
      stats: keyed(read('memory', 'memory.stat')),
    },
    pids: pids(read('pids', 'pids.current'), read('pids', 'pids.max')),
    blkio: {
      serviceBytes: blkioV1(read('blkio', 'blkio.throttle.io_service_bytes_recursive')),
      serviced: blkioV1(read('blkio', 'blkio.throttle.io_serviced_recursive')),
    },
  };
}

function readUnified(layout: CgroupLayout, path: string): ContainerStats | undefined {
  const directory = controllerDirectory(layout, 'cpu', path)!;
  const cpu = readCgroupFile(directory, 'cpu.stat');
  if (cpu === undefined) return undefined;
  const times = keyed(cpu);
  const limit = number(readCgroupFile(directory, 'memory.max'));
  const io = ioStat(readCgroupFile(directory, 'io.stat'));
  return {
    cgroupVersion: 2,
    readAtMs: Date.now(),
    cpu: {
      totalNs: (times['usage_usec'] ?? 0) * 1000,
      userNs: (times['user_usec'] ?? 0) * 1000,
      systemNs: (times['system_usec'] ?? 0) * 1000,
      ...hostCpu(),
      throttling: {
        periods: times['nr_periods'] ?? 0,
        throttledPeriods: times['nr_throttled'] ?? 0,
        throttledNs: (times['throttled_usec'] ?? 0) * 1000,
      },
    },
    memory: {
      usageBytes: number(readCgroupFile(directory, 'memory.current')) ?? 0,
      ...(limit === undefined ? {} : { limitBytes: limit }),
      stats: keyed(readCgroupFile(directory, 'memory.stat')),
    },
    pids: pids(readCgroupFile(directory, 'pids.current'), readCgroupFile(directory, 'pids.max')),
    blkio: {
      serviceBytes: io.filter(entry => entry.op.endsWith('bytes')).map(renameOp),
      serviced: io.filter(entry => entry.op.endsWith('ios')).map(renameOp),
    },
  };
}

/**
 * The first line of /proc/stat: user nice system idle iowait irq softirq, in ticks of 10 ms (USER_HZ). What other
 * guests of the machine's host took (steal) Docker does not count.
 */
function hostCpu(): { hostTotalNs: number; onlineCpus: number } {
  const stat = readFileSync('/proc/stat', 'latin1');
  const ticks = stat.slice(5, stat.indexOf('\n')).trim().split(/\s+/).slice(0, 7).map(Number);
  const onlineCpus = stat.match(/^cpu\d+ /gm)?.length ?? availableParallelism();
  return { hostTotalNs: ticks.reduce((sum, value) => sum + value, 0) * 10_000_000, onlineCpus };
}

function pids(current: string | undefined, max: string | undefined): ContainerStats['pids'] {
  const limit = number(max);
  return { current: number(current) ?? 0, ...(limit === undefined ? {} : { limit }) };
}

/** `max` and what is no number: undefined. */
function number(text: string | undefined): number | undefined {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isFinite(value) ? value : undefined;
}

/** Lines of `name value`. */
function keyed(text: string | undefined): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of (text ?? '').split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) values[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return values;
}

/** Lines of `254:0 Read 4096`, then `Total 4096`. */
function blkioV1(text: string | undefined): BlkioEntry[] {
  const entries: BlkioEntry[] = [];
  for (const match of (text ?? '').matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)) {
    entries.push({
      major: Number(match[1]),
      minor: Number(match[2]),
      op: match[3]!.toLowerCase(),
      value: Number(match[4]),
    });
  }
  return entries;
}

/** Lines of `254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function ioStat(text: string | undefined): BlkioEntry[] {
  const entries: BlkioEntry[] = [];
  for (const line of (text ?? '').split('\n')) {
    const [device, ...pairs] = line.split(' ');
    const [major, minor] = (device ?? '').split(':').map(Number);
    for (const pair of pairs) {
      const [op, value] = pair.split('=');
      entries.push({ major: major!, minor: minor!, op: op!, value: Number(value) });
    }
  }
  return entries;
}

const opNames: Readonly<Record<string, string>> = { r: 'read', w: 'write', d: 'discard' };

function renameOp(entry: BlkioEntry): BlkioEntry {
  return { ...entry, op: opNames[entry.op[0]!] ?? entry.op };
}
