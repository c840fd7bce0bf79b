import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { majorOf, minorOf } from '../linux/files.ts';
import type { RuntimeDevice } from '../oci/runtime-spec.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';

/** A device of the host for a container, and what its cgroup lets it do: `r`, `w`, `m`. */
export interface DeviceGrant {
  device: RuntimeDevice;
  permissions: string;
}

/** `--device`: a device node, or a directory, which stands for all devices in it. @throws EngineError invalid */
export function grantDevices(
  pathOnHost: string,
  pathInContainer: string,
  permissions: string,
): DeviceGrant[] {
  const refuse = (why: string) =>
    new EngineError(
      'invalid',
      `error gathering device information while adding custom device "${pathOnHost}": ${why}`,
    );
  const stat = statSync(pathOnHost, { throwIfNoEntry: false });
  if (stat === undefined) throw refuse('no such file or directory');
  if (stat.isDirectory()) {
    return readdirSync(pathOnHost).flatMap(name =>
      grantDevices(join(pathOnHost, name), join(pathInContainer, name), permissions),
    );
  }
  const device = deviceAt(pathOnHost, pathInContainer || pathOnHost);
  if (device === undefined) throw refuse('not a device node');
  return [{ device, permissions }];
}

/** What `--privileged` gives: every device node of the host but terminals and what each container has of its own. */
export function allHostDevices(directory = '/dev'): DeviceGrant[] {
  const own = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console'];
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const path = join(directory, entry.name);
    if (own.includes(entry.name)) return [];
    if (entry.isDirectory()) return allHostDevices(path);
    const device = deviceAt(path, path);
    return device === undefined ? [] : [{ device, permissions: 'rwm' }];
  });
}

/** @throws EngineError notFound */
export function deviceNumber(path: string): { major: number; minor: number } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new EngineError('notFound', `stat ${path}: no such file or directory`);
  return { major: majorOf(stat.rdev), minor: minorOf(stat.rdev) };
}

function deviceAt(path: string, pathInContainer: string): RuntimeDevice | undefined {
  try {
    const stat = statSync(path);
    if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
    return {
      path: pathInContainer,
      type: stat.isBlockDevice() ? 'b' : 'c',
      major: majorOf(stat.rdev),
      minor: minorOf(stat.rdev),
      fileMode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
    };
  } catch (error) {
    // Devices come and go while we look.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENXIO') return undefined;
    throw error;
  }
}
