import { chownSync, readdirSync, writeFileSync } from 'node:fs';
import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { errnoOf } from '../../stdx/errors.ts';
import { removeRecursively } from '../../stdx/remove-recursively.ts';
import type { EngineContext } from '../context.ts';
import { rootOwner } from './user-namespace.ts';

/**
 * What a container has on disk, besides its snapshot and its volumes:
 *
 *     <data-root>/containers/<id>/
 *       hosts, hostname, resolv.conf     written at every start, bind-mounted over the files in /etc
 *       shm/                             mount point of /dev/shm when others may share it
 *       log, log.000001.gz ...           captured output (runtime/logs/log-segments.ts); written by the monitor
 *       <id>-json.log, .1, .2.gz ...     the same as Docker's json-file writes it, if the log driver is that
 *       log-position                     up to where the sink of the log driver has delivered it
 */
export function containerDirectory(context: Pick<EngineContext, 'storage'>, id: string): string {
  return join(containersRoot(context), id);
}

export interface ContainerFiles {
  hosts: string;
  hostname: string;
  resolvConf: string;
  log: string;
  jsonLog: string;
  logPosition: string;
  sharedMemory: string;
}

export function containerFiles(context: Pick<EngineContext, 'storage'>, id: string): ContainerFiles {
  const directory = containerDirectory(context, id);
  return {
    hosts: join(directory, 'hosts'),
    hostname: join(directory, 'hostname'),
    resolvConf: join(directory, 'resolv.conf'),
    log: join(directory, 'log'),
    jsonLog: join(directory, `${id}-json.log`),
    logPosition: join(directory, 'log-position'),
    sharedMemory: join(directory, 'shm'),
  };
}

export async function makeContainerDirectory(
  context: EngineContext,
  id: string,
  mappings: IdMappings | undefined,
): Promise<void> {
  const directory = containerDirectory(context, id);
  await mkdir(directory, { recursive: true, mode: 0o710 });
  // Its root mounts the files from there.
  if (mappings !== undefined) await chown(directory, 0, rootOwner(mappings).gid);
}

/** World-readable whatever the daemon's umask, as processes in the container of any user read them. */
export function writeContainerFiles(
  context: EngineContext,
  id: string,
  texts: { hosts: string; hostname: string; resolvConf: string },
  owner: { uid: number; gid: number },
): void {
  const files = containerFiles(context, id);
  writeFileSync(files.hosts, texts.hosts, { mode: 0o644 });
  writeFileSync(files.hostname, texts.hostname, { mode: 0o644 });
  writeFileSync(files.resolvConf, texts.resolvConf, { mode: 0o644 });
  for (const path of [files.hosts, files.hostname, files.resolvConf]) chownSync(path, owner.uid, owner.gid);
}

/** After damage of the state database: what has lost its row is kept for a person to look at. */
export function quarantineUnknown(context: EngineContext): void {
  const snapshots = context.storage.snapshots.list().map(({ id }) => id);
  const found = new Set([...listOrNothing(containersRoot(context)), ...snapshots]);
  const known = new Set([
    ...context.containers.list().map(({ id }) => id),
    ...context.containers.quarantined(),
  ]);
  for (const id of found.difference(known)) {
    if (!/^[0-9a-f]{64}$/.test(id)) continue;
    context.log.error({ container: id }, 'the row of a container is lost; what is there of it is kept');
    context.containers.quarantineLost(id);
  }
}

/** Directories of containers that no longer exist: what a killed create or remove left. */
export function removeUnknownDirectories(context: EngineContext): void {
  const known = new Set([
    ...context.containers.list().map(({ id }) => id),
    ...context.containers.quarantined(),
  ]);
  for (const entry of listOrNothing(containersRoot(context))) {
    if (!known.has(entry)) {
      removeRecursively(join(containersRoot(context), entry));
    }
  }
}

export async function bindSourceExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

function containersRoot(context: Pick<EngineContext, 'storage'>): string {
  return context.storage.paths.containers;
}

function listOrNothing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
