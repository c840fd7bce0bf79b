import type { RuntimeDeviceRule, RuntimeMount } from '../oci/runtime-spec.ts';

/** What Docker gives every container: moby, daemon/pkg/oci/defaults.go. Order is mounting order. */
export function defaultMounts(): RuntimeMount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['ro', 'nosuid', 'noexec', 'nodev'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777'],
    },
  ];
}

/** Hidden from containers that are not privileged. The host's thermal_throttle directories come on top. */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** All devices are denied, then zero, null, urandom, random, tty and console allowed, and fuse denied. */
export function defaultDeviceRules(): RuntimeDeviceRule[] {
  const character = (allow: boolean, major: number, minor: number): RuntimeDeviceRule => {
    return { allow, type: 'c', major, minor, access: 'rwm' };
  };
  return [
    { allow: false, access: 'rwm' },
    character(true, 1, 5),
    character(true, 1, 3),
    character(true, 1, 9),
    character(true, 1, 8),
    character(true, 5, 0),
    character(true, 5, 1),
    character(false, 10, 229),
  ];
}

/** Where the init program is mounted inside, and what the container's program then runs below. */
export const INIT_PATH = '/sbin/docker-init';
