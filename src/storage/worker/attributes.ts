import { chmodSync, lutimesSync } from 'node:fs';
import { lchown, type Path, utimensat } from '../../linux/files.ts';
import { errnoOf } from '../../stdx/errors.ts';
import { invalidEntry } from './errors.ts';
import { type Owner, toKernel } from './owners.ts';

/** @throws EngineError `invalid` for ids the kernel does not know; -1 would mean "leave it". */
export function applyOwner(path: Path, owner: Owner): void {
  const { uid, gid } = toKernel(owner);
  if (uid < 0 || uid >= maxId || gid < 0 || gid >= maxId)
    throw invalidEntry(`owner ${uid}:${gid} is out of range`);
  lchown(path, uid, gid);
}

/** Not for symlinks: chmod follows them. */
export function applyMode(path: Path, mode: number): void {
  chmodSync(path, mode);
}

/** Access time too: nobody wants the time of unpacking in it. */
export function applyTimes(path: Path, timeNs: bigint): void {
  if (timeNs >= 0n && timeNs % NS_PER_S === 0n && timeNs < maxExactNs) {
    const seconds = Number(timeNs / NS_PER_S);
    lutimesSync(path, seconds, seconds);
  } else utimensat(path, clamp(timeNs), clamp(timeNs));
}

export function ifExists<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

const NS_PER_S = 1_000_000_000n;
const maxId = 0xffff_ffff;
/** The year 2200: below it node:fs takes whole seconds as they are. */
const maxExactNs = 7_258_118_400n * NS_PER_S;

/** File systems cut times to what they can hold; the system call takes 64 bits of seconds. */
function clamp(timeNs: bigint): bigint {
  const limit = (1n << 62n) - 1n;
  return timeNs > limit ? limit : timeNs < -limit ? -limit : timeNs;
}
