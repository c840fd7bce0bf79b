import { readFileSync } from 'node:fs';
import type { NetworkConfig } from './config.ts';
import type { NetworkRecords } from './records.ts';
import { enableIPv6Forwarding, readSysctl, writeSysctl } from './sysctl.ts';

/**
 * Whether the host forwards packets. Containers need it; but it makes a router of a host that was none, and its
 * neighbours could reach through it whatever they like. So where the daemon has switched it on, the firewall goes on
 * refusing what is not for any bridge. Where somebody else had, nothing is refused.
 *
 * What it was before is remembered, for `restore`, with the boot it was so in: after the next one it is on because the
 * administrator wants it.
 */
export class Forwarding {
  readonly #records: NetworkRecords;
  readonly #config: NetworkConfig;

  constructor(parts: { records: NetworkRecords; config: NetworkConfig }) {
    this.#records = parts.records;
    this.#config = parts.config;
  }

  /** Lets the host forward packets of this family from now on. A kernel without the family is left alone. */
  enable(family: Family): void {
    if (this.#config.ipForward === false || readSysctl(sysctls[family]) !== '0') return;
    this.#records.putSetting(settings[family], bootId());
    if (family === 6) enableIPv6Forwarding();
    else writeSysctl(sysctls[family], '1');
  }

  /** Families in which the host is to forward nothing but what its bridges send and receive. */
  get closed(): Family[] {
    return this.#config.ipForwardNoDrop === true ? [] : this.#enabledByUs;
  }

  /** Puts the kernel back. */
  restore(): void {
    for (const family of this.#enabledByUs) writeSysctl(sysctls[family], '0');
    for (const family of families) this.#records.deleteSetting(settings[family]);
  }

  get #enabledByUs(): Family[] {
    return families.filter(family => this.#records.setting(settings[family]) === bootId());
  }
}

type Family = 4 | 6;
const families: readonly Family[] = [4, 6];
const sysctls = { 4: 'ipv4/ip_forward', 6: 'ipv6/conf/all/forwarding' } as const;
/** Rows of the database: the boot in which the daemon switched it on. */
const settings = { 4: 'boot that forwards IPv4 for us', 6: 'boot that forwards IPv6 for us' } as const;

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
