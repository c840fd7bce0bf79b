import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import {
  MS_BIND,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_STRICTATIME,
} from '../linux/constants.ts';

export interface LocalMount {
  source: string;
  type: string;
  /** MS_* */
  flags: number;
  /** What the file system itself understands. */
  data: string;
}

const flagOptions: Readonly<Record<string, { set?: number; clear?: number }>> = {
  defaults: {},
  ro: { set: MS_RDONLY },
  rw: { clear: MS_RDONLY },
  nosuid: { set: MS_NOSUID },
  suid: { clear: MS_NOSUID },
  nodev: { set: MS_NODEV },
  dev: { clear: MS_NODEV },
  noexec: { set: MS_NOEXEC },
  exec: { clear: MS_NOEXEC },
  bind: { set: MS_BIND },
  rbind: { set: MS_BIND | MS_REC },
  noatime: { set: MS_NOATIME },
  atime: { clear: MS_NOATIME },
  nodiratime: { set: MS_NODIRATIME },
  diratime: { clear: MS_NODIRATIME },
  relatime: { set: MS_RELATIME },
  norelatime: { clear: MS_RELATIME },
  strictatime: { set: MS_STRICTATIME },
};

/** The local driver's options as mount(2) takes them: `o` is mount(8)'s -o. */
export function planLocalMount(options: Readonly<Record<string, string>>): LocalMount {
  let flags = 0;
  const data: string[] = [];
  for (const option of (options['o'] ?? '').split(',')) {
    if (option === '') continue;
    const flag = flagOptions[option];
    if (flag === undefined) data.push(option);
    else flags = (flags | (flag.set ?? 0)) & ~(flag.clear ?? 0);
  }
  return { source: options['device'] ?? '', type: options['type'] ?? '', flags, data: data.join(',') };
}

/** mount.nfs(8) looks up the server's name; the kernel wants its address in `addr=`. */
export async function resolveAddress(plan: LocalMount): Promise<LocalMount> {
  const name = /(?:^|,)addr=([^,]+)/.exec(plan.data)?.[1];
  if (name === undefined || isIP(name) !== 0) return plan;
  const { address } = await lookup(name);
  return { ...plan, data: plan.data.replace(`addr=${name}`, `addr=${address}`) };
}
