import { readFileSync } from 'node:fs';
import { MS_BIND, MS_REC, MS_REMOUNT } from '../linux/constants.ts';
import { SystemError } from '../linux/libc.ts';
import { isMountPoint, mount, unmount } from '../linux/mount.ts';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';
import { type LocalMount, planLocalMount, resolveAddress } from './volume-mount.ts';
import type { Volume } from './volumes.ts';

/** Of the driver local, and its options say what is to be mounted there. */
export function isMountable({ driver, options }: Volume): boolean {
  if (driver !== 'local') return false;
  return options['device'] !== undefined || options['type'] !== undefined;
}

/** @throws EngineError `notFound`, `internal`, in Docker's words */
export async function mountLocalVolume(volume: Volume): Promise<void> {
  const plan = planLocalMount(volume.options);
  const target = volume.mountpoint;
  try {
    const { flags, ...what } = await resolveAddress(plan);
    mount({ ...what, target, flags });
    // A bind mount takes the flags of its source: its own need a second step.
    const own = flags & ~(MS_BIND | MS_REC);
    if ((flags & MS_BIND) !== 0 && own !== 0) remountBind(target, own);
  } catch (error) {
    const kind = errnoOf(error) === 'ENOENT' ? 'notFound' : 'internal';
    throw new EngineError(kind, `error while mounting volume '${target}': ${whyNot(plan, target, error)}`, {
      cause: error,
    });
  }
}

/** Idempotent. */
export function unmountLocalVolume(volume: Volume): void {
  if (isMountable(volume) && isMountPoint(volume.mountpoint)) unmount(volume.mountpoint, { detach: true });
}

function remountBind(target: string, flags: number): void {
  try {
    mount({ target, flags: MS_REMOUNT | MS_BIND | flags });
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

/** In Docker's words (moby/sys/mount), which name the device, the place, and what is not plain. */
function whyNot({ source, type, flags, data }: LocalMount, target: string, error: unknown): string {
  if (errnoOf(error) === 'ENOTFOUND' || errnoOf(error) === 'EAI_AGAIN')
    return `error resolving passed in network volume address: ${messageOf(error)}`;
  const what = [
    `mount ${source}:${target}`,
    ...(flags === 0 ? [] : [`flags: 0x${flags.toString(16)}`]),
    ...(data === '' ? [] : [`data: ${data}`]),
  ].join(', ');
  const reason = error instanceof SystemError ? error.reason : messageOf(error);
  const missing = errnoOf(error) === 'ENODEV' && !knowsFileSystem(type);
  const why = missing ? `${reason} (this kernel has no file system "${type}")` : reason;
  return `failed to mount local volume: ${what}: ${why}`;
}

/** Lines of `nodev\tnfs`; what is a module is there once it has been asked for. */
function knowsFileSystem(type: string): boolean {
  return new RegExp(`\\t${RegExp.escape(type)}$`, 'm').test(readFileSync('/proc/filesystems', 'utf8'));
}
