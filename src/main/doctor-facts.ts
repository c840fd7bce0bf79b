import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '../client/client.ts';
import { parseEndpoint } from '../client/endpoint.ts';
import { messageOf } from '../stdx/errors.ts';
import type { HostFacts } from './doctor-checks.ts';

/** Where Debian and others keep programs; never the caller's PATH, which may be anything. */
const programFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const libraryFolders = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];

/** Reads what doctor-checks judges. Nothing on the host is changed. */
export async function readHostFacts(address: string, dataRoot: string): Promise<HostFacts> {
  const disk = statfsSync(nearestExisting(dataRoot));
  return {
    kernelRelease: release(),
    filesystems: read('/proc/filesystems') ?? '',
    cgroupMounts: readCgroupMounts(),
    namespaces: existsSync('/proc/self/ns') ? readdirSync('/proc/self/ns') : [],
    programs: Object.fromEntries(
      ['conmon', 'crun', 'runc', 'mmdebstrap'].map(name => [name, findProgram(name)]),
    ),
    libraries: { libnftables: findLibrary('libnftables.so.1') },
    nodeVersion: process.version,
    ipForward: read('/proc/sys/net/ipv4/ip_forward')?.trim(),
    uid: process.getuid?.() ?? -1,
    freeBytes: disk.bavail * disk.bsize,
    // btrfs and others have no fixed number of inodes and say 0.
    freeInodesShare: disk.files === 0 ? 1 : disk.ffree / disk.files,
    dataRoot,
    socket: await askDaemon(address),
    inotifyInstances: Number(read('/proc/sys/fs/inotify/max_user_instances') ?? 0),
    inotifyWatches: Number(read('/proc/sys/fs/inotify/max_user_watches') ?? 0),
    openFiles: Number(
      /^Max open files\s+\S+\s+(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1] ?? Number.POSITIVE_INFINITY,
    ),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there, or not for us to read: both are findings, and said so by whoever judges.
    return undefined;
  }
}

/** /proc/self/mountinfo: `36 35 98:0 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory` */
function readCgroupMounts(): HostFacts['cgroupMounts'] {
  return (read('/proc/self/mountinfo') ?? '').split('\n').flatMap(line => {
    const [before = '', after = ''] = line.split(' - ');
    const [type = '', , options = ''] = after.split(' ');
    return type === 'cgroup' || type === 'cgroup2'
      ? [{ type, path: before.split(' ')[4] ?? '', options }]
      : [];
  });
}

function findProgram(name: string): { path: string; version: string } | undefined {
  const path = programFolders.map(folder => join(folder, name)).find(existsSync);
  if (path === undefined) return undefined;
  try {
    const text = execFileSync(path, ['--version'], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { path, version: /\d+\.\d+[\w.+~-]*/.exec(text)?.[0] ?? text.split('\n')[0]! };
  } catch (error) {
    return { path, version: `does not run (${messageOf(error).split('\n')[0]})` };
  }
}

function findLibrary(name: string): string | undefined {
  return libraryFolders.map(folder => join(folder, name)).find(existsSync);
}

async function askDaemon(address: string): Promise<HostFacts['socket']> {
  const client = new Client({ endpoint: parseEndpoint(address) });
  try {
    await client.version();
    return { path: address, answers: true, why: '' };
  } catch (error) {
    return { path: address, answers: false, why: messageOf(error) };
  } finally {
    client.close();
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}
