import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { majorOf, minorOf } from '../linux/files.ts';
import type { RuntimeDevice } from '../oci/runtime-spec.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';

/** A device of the host for a container, and what its cgroup lets it do: `r`, `w`, `m`. */
export interface DeviceGrant {
  device: RuntimeDevice;
  permissions: string;
}

/**
 * `--device`: a device node, or a directory, which stands for all devices below it; what else is there is passed over.
 * @throws EngineError invalid
 */
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
  let isDirectory: boolean;
  try {
    isDirectory = statSync(pathOnHost).isDirectory();
  } catch (error) {
    throw refuse(getSystemErrorMessage((error as NodeJS.ErrnoException).errno!));
  }
  const granted = isDirectory
    ? devicesBelow(pathOnHost, pathInContainer || pathOnHost)
    : [deviceAt(pathOnHost, pathInContainer || pathOnHost)].filter(device => device !== undefined);
  if (granted.length === 0) throw refuse('not a device node');
  return granted.map(device => ({ device, permissions }));
}

/** Links are no devices. */
function devicesBelow(directory: string, pathInContainer: string): RuntimeDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const [path, inside] = [join(directory, entry.name), join(pathInContainer, entry.name)];
    if (entry.isDirectory()) return devicesBelow(path, inside);
    const device = entry.isSymbolicLink() ? undefined : deviceAt(path, inside);
    return device === undefined ? [] : [device];
  });
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
