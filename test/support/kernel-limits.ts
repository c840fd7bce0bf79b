import type { KernelLimits } from '../../src/runtime/kernel-limits.ts';

/** A kernel that can limit everything, with four processors. */
export const everyLimit: KernelLimits = {
  memory: true,
  swap: true,
  memoryReservation: true,
  memorySwappiness: true,
  oomKillDisable: true,
  cpuShares: true,
  cpuCfs: true,
  cpuRealtime: true,
  cpuset: true,
  cpus: '0-3',
  memoryNodes: '0',
  pids: true,
  blkioWeight: true,
  blkioWeightDevice: true,
  blkioThrottle: true,
};
