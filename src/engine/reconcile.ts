import type { ContainerRecord } from './containers/container.ts';
import { removeUnknownDirectories } from './containers/directory.ts';
import { handleExit, restartByPolicy } from './containers/exit.ts';
import { followLog } from './containers/log-follow.ts';
import { hasOwnNetwork, namespacePathOf } from './containers/network.ts';
import { releaseContainer } from './containers/release.ts';
import { removeStopped } from './containers/remove.ts';
import { startsWithDaemon } from './containers/restart-policy.ts';
import type { EngineContext } from './context.ts';
import { recoverEdits } from './edit/recover.ts';

/**
 * Makes the engine's memory and the machine agree again after the daemon was away, however it went: adopts what
 * runs, settles what ended meanwhile, finishes removals, puts half-edited containers back, and clears what no row
 * owns. Order matters: the network first, as ports must answer throughout; restart policies last.
 */
export async function reconcile(context: EngineContext): Promise<void> {
  const records = context.containers.list();
  const alive = adoptRunning(context, records);
  adoptNetworks(context, records, alive);
  await context.runtime.removeLeftovers(new Set(records.map(record => record.id)));
  await context.storage.snapshots.reconcile(new Set(records.map(record => record.id)));
  await context.storage.volumes.reconcile(volumeUsers(records, alive));
  removeUnknownDirectories(context);
  for (const record of records) await settle(context, record, alive.get(record.id));
  await recoverEdits(context);
  for (const record of records) await startByPolicy(context, record);
}

/** @returns pids by container id. A process whose start was never written down is not taken on: it is undone. */
function adoptRunning(context: EngineContext, records: ContainerRecord[]): Map<string, number> {
  const alive = new Map<string, number>();
  for (const { id, state } of records) {
    if (state.status !== 'running' && state.status !== 'paused') continue;
    if (context.runtime.adopt(id) === undefined) alive.set(id, context.runtime.state(id).pid);
  }
  return alive;
}

function adoptNetworks(context: EngineContext, records: ContainerRecord[], alive: Map<string, number>): void {
  context.network.reconcile(
    records.flatMap(record => {
      const pid = alive.get(record.id);
      if (pid === undefined || !hasOwnNetwork(record)) return [];
      return [
        {
          containerId: record.id,
          namespacePath: namespacePathOf(pid),
          resolver: context.network.needsResolver(record.id) ? { dns: record.hostConfig.dns } : undefined,
        },
      ];
    }),
  );
}

/** Running containers by the volumes they have mounted. */
function volumeUsers(records: ContainerRecord[], alive: ReadonlyMap<string, number>): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { id, mounts } of records) {
    if (!alive.has(id)) continue;
    for (const { type, name } of mounts) {
      if (type === 'volume') users.set(name, [...(users.get(name) ?? []), id]);
    }
  }
  return users;
}

async function settle(
  context: EngineContext,
  record: ContainerRecord,
  pid: number | undefined,
): Promise<void> {
  const { state } = record;
  // What was written while no daemon was there, or was not delivered before it went.
  if (pid === undefined) followLog(context, record, false);
  if (state.status === 'removing' || state.status === 'dead') {
    await releaseContainer(context, record);
    await removeStopped(context, record, { volumes: record.hostConfig.autoRemove });
    return;
  }
  if (pid !== undefined) {
    adopt(context, record, pid);
    return;
  }
  if (state.status === 'running' || state.status === 'paused') {
    // Its monitor has kept the exit code and the time; a machine that went down has kept neither.
    const exit = context.runtime.adopt(record.id);
    if (exit !== undefined) await handleExit(context, record.id, exit);
    return;
  }
  // A start that was cut off before the process was let go leaves mounts and a created process.
  await releaseContainer(context, record);
}

function adopt(context: EngineContext, record: ContainerRecord, pid: number): void {
  record.state.pid = pid;
  followLog(context, record, true);
  context.health.start(record);
  context.containers.save(record);
}

async function startByPolicy(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { state, hostConfig } = record;
  if (
    context.containers.find(record.id) === undefined ||
    state.status === 'running' ||
    state.status === 'paused'
  )
    return;
  const wanted = startsWithDaemon(hostConfig.restartPolicy, {
    wasRunning: state.status === 'restarting',
    manuallyStopped: record.manuallyStopped,
    exitCode: state.exitCode,
    restartCount: record.restartCount,
  });
  // A container that was never started by anybody is not the policy's business.
  if (!wanted || (state.startedAtMs === 0 && state.status === 'created')) {
    if (state.status === 'restarting') {
      state.status = 'exited';
      context.containers.save(record);
    }
    return;
  }
  state.status = 'restarting';
  context.containers.save(record);
  await restartByPolicy(context, record.id);
}
