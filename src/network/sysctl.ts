import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { errnoOf, within } from '../stdx/errors.ts';

/**
 * Kernel settings under /proc/sys/net, which show the network namespace of the thread that opens them.
 * @param name `ipv4/ip_forward`.
 * @returns undefined when this kernel has no such setting (IPv6 switched off).
 */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw within(`reading sysctl net/${name}`, error);
  }
}

/** A setting this kernel does not have is left alone. @returns whether it had another value before. */
export function writeSysctl(name: string, value: string): boolean {
  const before = readSysctl(name);
  if (before === undefined || before === value) return false;
  try {
    writeFileSync(`/proc/sys/net/${name}`, value);
  } catch (error) {
    throw within(`setting sysctl net/${name} to ${value}`, error);
  }
  return true;
}

/** Whether addresses of IPv6 can be used at all. */
export function hasIPv6(): boolean {
  const disabled = readSysctl('ipv6/conf/all/disable_ipv6');
  return disabled !== undefined && disabled !== '1';
}

/**
 * Lets the host forward IPv6. A forwarding host ignores router advertisements, by which it may have its own default
 * route; 2 means: accept them all the same (Documentation/networking/ip-sysctl).
 */
export function enableIPv6Forwarding(): void {
  if (readSysctl('ipv6/conf/all/forwarding') !== '0') return;
  for (const link of readdirSync('/proc/sys/net/ipv6/conf')) {
    if (readSysctl(`ipv6/conf/${link}/accept_ra`) === '1') writeSysctl(`ipv6/conf/${link}/accept_ra`, '2');
  }
  writeSysctl('ipv6/conf/all/forwarding', '1');
}
