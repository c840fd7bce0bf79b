import { statfsSync } from 'node:fs';
import { posix } from 'node:path';
import type { RuntimeMount } from '../oci/runtime-spec.ts';
import { EngineError } from '../stdx/errors.ts';

/** What programs that show a container its own numbers (lxcfs) put there. */
const replaceable = new Set([
  ...['/proc/cpuinfo', '/proc/diskstats', '/proc/loadavg', '/proc/meminfo', '/proc/slabinfo', '/proc/stat'],
  ...['/proc/swaps', '/proc/uptime', '/proc/sys/kernel/ns_last_pid', '/proc/sys/crypto/fips_enabled'],
]);

/** statfs(2) f_type, linux/magic.h */
const PROC_SUPER_MAGIC = 0x9fa0;

/**
 * What is written to /proc decides on labels and on the kernel's settings, so nothing may stand in for it
 * (CVE-2019-16884): as runc has it, and crun has not.
 * @throws EngineError `invalid`, in runc's words
 */
export function requireSafeProcMounts(mounts: readonly RuntimeMount[]): void {
  for (const { destination, source = '', type } of mounts) {
    const place = posix.normalize(destination).replace(/(.)\/$/, '$1');
    const refuse = (why: string) =>
      new EngineError(
        'invalid',
        `error mounting "${source}" to rootfs at "${place}": "${place}" cannot be mounted because it is ${why}`,
      );
    if (place === '/proc' && !(type === 'bind' && isProc(source))) throw refuse('not of type proc');
    if (place.startsWith('/proc/') && !replaceable.has(place)) throw refuse('inside /proc');
  }
}

function isProc(path: string): boolean {
  return statfsSync(path).type === PROC_SUPER_MAGIC;
}
