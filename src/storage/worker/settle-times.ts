import { lstatSync } from 'node:fs';
import { asPath } from '../../archive/names.ts';
import { utimensat } from '../../linux/files.ts';
import { joined, sortedNames } from './pack.ts';

/** What the times of files become, so that a layer does not tell when it was made. */
export interface LayerTimes {
  epochMs: number;
  /** `latest`: what is later becomes the epoch. `all`: everything does. */
  change: 'latest' | 'all';
}

/** Of a directory and everything in it; what is in a directory first, as that changes no time of the directory. */
export function settleTimes(path: string, times: LayerTimes): void {
  const visit = (at: string): void => {
    const native = asPath(at);
    const stat = lstatSync(native, { bigint: true });
    if (stat.isDirectory()) for (const name of sortedNames(at)) visit(joined(at, name));
    const settledNs = settledTime(stat.mtimeNs, times);
    if (settledNs !== stat.mtimeNs) utimensat(native, settledNs, settledNs);
  };
  visit(path);
}

export function settledTime(timeNs: bigint, { epochMs, change }: LayerTimes): bigint {
  const epochNs = BigInt(epochMs) * 1_000_000n;
  return change === 'all' || timeNs > epochNs ? epochNs : timeNs;
}
