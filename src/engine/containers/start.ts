import { statSync } from 'node:fs';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { requireSafeDevMount } from '../../runtime/dev-mounts.ts';
import { requireSafeProcMounts } from '../../runtime/proc-mounts.ts';
import { recursiveReadOnlyObstacle } from '../../runtime/recursive-read-only.ts';
import { type NamespaceChoice, planSpec } from '../../runtime/spec.ts';
import { StartError } from '../../runtime/start-error.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { Undo } from '../../stdx/undo.ts';
import { sourceRestrictions } from '../../storage/mount-restrictions.ts';
import { rootDirectoryMode } from '../../storage/root-files.ts';
import { mountSharedMemory, unmountSharedMemory } from '../../storage/shared-memory.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord } from './container.ts';
import { containerFiles } from './directory.ts';
import { linkEnvironmentOf } from './link-environment.ts';
import { followLog, requireUsableLogging } from './log-follow.ts';
import {
  allocateEndpoints,
  connectNetworks,
  hasOwnNetwork,
  namespacePathOf,
  writeNetworkFiles,
} from './network.ts';
import { removeStopped } from './remove.ts';
import { prepareRoot } from './root.ts';
import { prepareSecrets } from './secrets.ts';
import { specInputOf } from './spec-input.ts';
import { isUp } from './stop.ts';
import { presentMappings, rootOwner, runtimeForUserNamespaces } from './user-namespace.ts';

/**
 * @param alongside writes rows in the transaction that says that it runs
 * @throws notModified when it runs already, conflict in other states, what went wrong otherwise
 */
export async function startContainer(
  context: EngineContext,
  ref: string,
  alongside?: () => void,
): Promise<void> {
  const record = context.containers.get(ref);
  await context.locks.run(record.id, async () => {
    requireStartable(record, ref);
    context.edits.requireNone(record);
    context.restarts.forget(record.id);
    record.restartCount = 0;
    delete record.state.health?.restartDelayMs;
    await startLocked(context, record, alongside);
  });
}

function requireStartable(record: ContainerRecord, ref: string): void {
  switch (record.state.status) {
    case 'paused':
      throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
    case 'running':
    case 'restarting':
      throw new EngineError('notModified', `Container ${ref} is already running`);
    case 'removing':
    case 'dead':
      throw new EngineError('conflict', 'container is marked for removal and cannot be started');
    default:
  }
}

/**
 * Starts a container; the caller holds its lock. In order: addresses (rows), root and volumes (mounts), the process
 * (made, not yet let go), its links and ports, waiting clients, and the first instruction. What fails undoes all
 * that came before it.
 */
export async function startLocked(
  context: EngineContext,
  record: ContainerRecord,
  alongside: () => void = () => {},
): Promise<void> {
  const undo = new Undo();
  record.manuallyStopped = false;
  record.restartCancelled = false;
  try {
    const pid = await createProcess(context, record, undo);
    context.attachments.connect(record.id, stdin => context.runtime.attach(record.id, undefined, { stdin }));
    // Not after: it may have ended by then, and nothing ends before it starts.
    const startedAtMs = Date.now();
    await context.runtime.start(record.id);
    settleRunning(context, record, { pid, startedAtMs }, alongside);
  } catch (error) {
    const failure = startFailure(record, error);
    await undo.run(context.log);
    await settleFailed(context, record, failure);
    throw failure;
  }
}

async function createProcess(context: EngineContext, record: ContainerRecord, undo: Undo): Promise<number> {
  const { id } = record;
  requireUsableLogging(record);
  context.runtime.anticipateStart();
  const endpoints = hasOwnNetwork(record) ? allocateEndpoints(context, record) : [];
  undo.push('the network', () => context.network.release(id));
  writeNetworkFiles(context, record);
  const root = await prepareRoot(context, record, undo);
  const files = containerFiles(context, id);
  if (record.hostConfig.ipcMode === 'shareable') {
    undo.push('the shared memory', () => unmountSharedMemory(files.sharedMemory));
    mountSharedMemory(files.sharedMemory, record.hostConfig.shmSizeBytes, rootOwner(root.mappings));
  }
  const secrets = prepareSecrets(context, record, root.mappings, undo);
  const runtimeName = root.mappings !== undefined ? runtimeForUserNamespaces : record.runtime;
  const runtime = context.runtime.runtimes.get(runtimeName);
  const input = specInputOf(record, {
    ...root,
    files,
    settings: context.settings,
    linkEnvironment: linkEnvironmentOf(context, record),
    namespaceOf: (otherId, kind) => namespaceOf(context, otherId, kind),
    secretMounts: secrets.mounts,
    sharedFiles: sharedFilesOf(context, record),
    sharedMemory: sharedMemoryOf(context, record),
    userNamespace: userNamespaceOf(context, record, root.mappings),
    directoryMode: path => rootDirectoryMode(root.rootfs, path),
    isDirectory: path => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
    mountRestrictions: sourceRestrictions,
    recursiveReadOnlyObstacle: recursiveReadOnlyObstacle(context.runtime.host, runtime),
  });
  if (runtime !== undefined) requireSafeDevMount(input, runtime);
  requireSafeProcMounts(input.mounts);
  const spec = planSpec(input, context.runtime.host);
  undo.push('the process', () => context.runtime.delete(id));
  const { pid } = await context.runtime.create({
    id,
    spec,
    runtimeName,
    stdin: record.config.openStdin,
    stdinOnce: record.config.stdinOnce,
    logPath: record.hostConfig.logConfig.type === 'none' ? null : files.log,
  });
  root.releaseViews();
  secrets.release();
  if (hasOwnNetwork(record)) connectNetworks(context, record, endpoints, pid);
  followLog(context, record, true);
  return pid;
}

function settleRunning(
  context: EngineContext,
  record: ContainerRecord,
  process: { pid: number; startedAtMs: number },
  alongside: () => void,
): void {
  Object.assign(record.state, {
    ...process,
    status: 'running',
    exitCode: 0,
    error: '',
    oomKilled: false,
    endsToRestart: false,
  });
  context.health.start(record);
  context.storage.database.transaction(() => {
    context.containers.save(record);
    alongside();
  });
  publishContainerEvent(context, record, 'start');
}

/** Docker keeps the code a shell would have given: 127 not found, 126 not executable, 128 for the rest. */
async function settleFailed(
  context: EngineContext,
  record: ContainerRecord,
  failure: EngineError,
): Promise<void> {
  record.state.exitCode = failure instanceof StartError ? failure.exitCode : 128;
  record.state.error = failure.message;
  record.state.pid = 0;
  context.containers.save(record);
  context.attachments.fail(record.id);
  context.waits.exited(record);
  if (record.hostConfig.autoRemove && !context.edits.replaces(record.id)) {
    await removeStopped(context, record, { volumes: true });
  }
}

function startFailure(record: ContainerRecord, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  return new EngineError('internal', `starting container ${record.name}: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Whoever joins a namespace of another container must be in the user namespace that owns it. */
function userNamespaceOf(
  context: EngineContext,
  { hostConfig }: ContainerRecord,
  mappings: IdMappings | undefined,
): NamespaceChoice {
  if (mappings === undefined) return 'host';
  const { networkMode, pidMode, ipcMode } = hostConfig;
  const joined = [networkMode, pidMode, ipcMode].find(mode => mode.startsWith('container:'));
  if (joined === undefined) return 'private';
  const other = context.containers.get(joined.slice('container:'.length));
  if (presentMappings(context, other) !== undefined) return { path: `/proc/${other.state.pid}/ns/user` };
  throw new EngineError(
    'conflict',
    `cannot join namespaces of container ${other.id}, which is not in the user namespace of this one`,
  );
}

function namespaceOf(context: EngineContext, otherId: string, kind: 'net' | 'ipc' | 'pid'): string {
  const other = context.containers.get(otherId);
  if (!isUp(other) || other.state.pid === 0) {
    const why = `container ${other.id} is not running`;
    if (kind === 'pid') throw new EngineError('conflict', why);
    if (kind === 'ipc') throw new EngineError('conflict', `can't join IPC of container ${other.id}: ${why}`);
    throw new EngineError('conflict', `cannot join network of a non running container: ${other.id}`);
  }
  if (kind === 'ipc' && sharedMemoryOf(context, other) === undefined) {
    throw new EngineError(
      'conflict',
      `can't join IPC of container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  }
  return kind === 'net' ? namespacePathOf(other.state.pid) : `/proc/${other.state.pid}/ns/${kind}`;
}

/** Where a container's /dev/shm is on the host, if others can have it as well. */
function sharedMemoryOf(context: EngineContext, record: ContainerRecord): string | undefined {
  const { ipcMode } = record.hostConfig;
  if (ipcMode === 'host') return '/dev/shm';
  if (ipcMode === 'shareable') return containerFiles(context, record.id).sharedMemory;
  if (!ipcMode.startsWith('container:')) return undefined;
  return sharedMemoryOf(context, context.containers.get(ipcMode.slice('container:'.length)));
}

function sharedFilesOf(context: EngineContext, record: ContainerRecord) {
  const { networkMode } = record.hostConfig;
  if (!networkMode.startsWith('container:')) return undefined;
  return containerFiles(context, context.containers.get(networkMode.slice('container:'.length)).id);
}
