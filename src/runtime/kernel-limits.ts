import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupLayout, controllerDirectory } from '../linux/cgroups.ts';

/** What this kernel can limit for a container, as far as its cgroups are mounted. */
export interface KernelLimits {
  memory: boolean;
  /** Memory and swap together. */
  swap: boolean;
  memoryReservation: boolean;
  memorySwappiness: boolean;
  oomKillDisable: boolean;
  cpuShares: boolean;
  /** Period and quota. */
  cpuCfs: boolean;
  cpuRealtime: boolean;
  cpuset: boolean;
  /** Numbers of the processors and memory nodes there are: `0-3`. */
  cpus: string;
  memoryNodes: string;
  pids: boolean;
  blkioWeight: boolean;
  blkioWeightDevice: boolean;
  /** Bytes and operations per second of a device, read and written. */
  blkioThrottle: boolean;
}

export function readKernelLimits(layout: CgroupLayout): KernelLimits {
  return layout.version === 2 ? readUnified(layout.unified!) : readV1(layout);
}

function readV1(layout: CgroupLayout): KernelLimits {
  const has = (controller: string, file: string) => {
    const root = controllerDirectory(layout, controller, '/');
    return root !== undefined && existsSync(join(root, file));
  };
  return {
    memory: has('memory', 'memory.limit_in_bytes'),
    swap: has('memory', 'memory.memsw.limit_in_bytes'),
    memoryReservation: has('memory', 'memory.soft_limit_in_bytes'),
    memorySwappiness: has('memory', 'memory.swappiness'),
    oomKillDisable: has('memory', 'memory.oom_control'),
    cpuShares: has('cpu', 'cpu.shares'),
    cpuCfs: has('cpu', 'cpu.cfs_quota_us'),
    cpuRealtime: has('cpu', 'cpu.rt_runtime_us'),
    cpuset: has('cpuset', 'cpuset.cpus'),
    cpus: readList(controllerDirectory(layout, 'cpuset', '/'), 'cpuset.cpus'),
    memoryNodes: readList(controllerDirectory(layout, 'cpuset', '/'), 'cpuset.mems'),
    pids: layout.controllers.has('pids'),
    blkioWeight: has('blkio', 'blkio.weight'),
    blkioWeightDevice: has('blkio', 'blkio.weight_device'),
    blkioThrottle: has('blkio', 'blkio.throttle.read_bps_device'),
  };
}

/** The root has none of the files that limit: what there is follows from the controllers. */
function readUnified(root: string): KernelLimits {
  const controllers = readList(root, 'cgroup.controllers').split(' ');
  const memory = controllers.includes('memory');
  const cpu = controllers.includes('cpu');
  const io = controllers.includes('io');
  return {
    memory,
    swap: memory && existsSync('/proc/swaps'),
    memoryReservation: memory,
    memorySwappiness: false,
    oomKillDisable: false,
    cpuShares: cpu,
    cpuCfs: cpu,
    // There is no real-time controller in cgroup v2 (cgroup-v2.rst, "WARNING: cgroup2 cpu controller").
    cpuRealtime: false,
    cpuset: controllers.includes('cpuset'),
    cpus: readList(root, 'cpuset.cpus.effective'),
    memoryNodes: readList(root, 'cpuset.mems.effective'),
    pids: controllers.includes('pids'),
    blkioWeight: io,
    // OCI runtimes write a device's weight for the scheduler BFQ only, whose file is there while it is loaded.
    blkioWeightDevice:
      io &&
      readdirSync(root, { withFileTypes: true }).some(
        entry => entry.isDirectory() && existsSync(join(root, entry.name, 'io.bfq.weight')),
      ),
    blkioThrottle: io,
  };
}

function readList(directory: string | undefined, file: string): string {
  if (directory === undefined || !existsSync(join(directory, file))) return '';
  return readFileSync(join(directory, file), 'utf8').trim();
}
