import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMountPoint, type OverlayMount, overlayMount, unmount } from '../linux/mount.ts';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';

/** How writable roots are made of layers; Docker's names. */
export interface SnapshotDriver {
  readonly name: SnapshotDriverName;
  /** Roots are whole copies instead of overlays. */
  readonly flat: boolean;
  mount(overlay: OverlayMount): void;
}

export type SnapshotDriverName = 'overlay2' | 'fuse-overlayfs' | 'vfs';

export const snapshotDriverNames: readonly SnapshotDriverName[] = ['overlay2', 'fuse-overlayfs', 'vfs'];

/**
 * The driver that was asked for, or the first that works below the directory: the kernel's overlays, those of
 * fuse-overlayfs(1) where the kernel or the file system has none, and copies, which always work and take their time.
 * @throws EngineError `unavailable` when the one that was asked for does not work
 */
export function chooseSnapshotDriver(
  directory: string,
  asked: SnapshotDriverName | undefined,
  log: Log,
): SnapshotDriver {
  const failures: string[] = [];
  for (const name of asked === undefined ? snapshotDriverNames : [asked]) {
    const driver = drivers[name];
    const failure = driver.flat ? undefined : tryOut(driver, directory);
    if (failure === undefined) {
      if (name !== 'overlay2') log.warn({ driver: name, failures }, 'the storage driver is not overlay2');
      return driver;
    }
    failures.push(`${name}: ${failure}`);
  }
  throw new EngineError('unavailable', `error initializing graphdriver: ${failures.join('; ')}`);
}

const drivers: Readonly<Record<SnapshotDriverName, SnapshotDriver>> = {
  overlay2: { name: 'overlay2', flat: false, mount: overlayMount },
  'fuse-overlayfs': { name: 'fuse-overlayfs', flat: false, mount: fuseMount },
  vfs: { name: 'vfs', flat: true, mount: overlayMount },
};

/** @returns why it does not work */
function tryOut(driver: SnapshotDriver, directory: string): string | undefined {
  const place = join(directory, 'driver-trial');
  const [lower, upper, work, target] = ['lower', 'upper', 'work', 'merged'].map(name =>
    join(place, name),
  ) as [string, string, string, string];
  try {
    // What a killed daemon left of its own trial.
    if (existsSync(target)) while (isMountPoint(target)) unmount(target, { detach: true });
    rmSync(place, { recursive: true, force: true });
    for (const path of [lower, upper, work, target]) mkdirSync(path, { recursive: true });
    // Otherwise the end of the mount would wait for all that others have written to that disk: seconds on a busy one.
    driver.mount({ lower: [lower], upper, work, target, volatile: true });
    try {
      // Some kernels mount what they cannot write to.
      writeFileSync(join(target, 'written'), '');
    } finally {
      unmount(target, { detach: true });
    }
    return undefined;
  } catch (error) {
    // A full disk says nothing about the driver, and is no reason to take one that needs more of it.
    const code = errnoOf(error);
    return code === 'ENOSPC' || code === 'EDQUOT' ? undefined : messageOf(error);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const program = '/usr/bin/fuse-overlayfs';

/** It becomes a daemon of its own when the mount is there, and ends with it. */
function fuseMount({ lower, upper, work, target }: OverlayMount): void {
  if (!existsSync(program)) throw new EngineError('unavailable', `${program} is not installed`);
  const escaped = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  const options = [
    `lowerdir=${lower.map(escaped).join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${escaped(upper)}`, `workdir=${escaped(work ?? '')}`]),
    'allow_other',
    'dev',
    'suid',
    ...(upper === undefined ? ['ro'] : []),
  ];
  const run = spawnSync(program, ['-o', options.join(','), target], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (run.status === 0) return;
  const why = run.error?.message ?? run.stderr.toString().trim();
  throw new EngineError('internal', `fuse-overlayfs at ${target}: ${why || `status ${run.status}`}`);
}
