import { startByPolicies } from './containers/boot.ts';
import type { ContainerRecord } from './containers/container.ts';
import { quarantineUnknown, removeUnknownDirectories } from './containers/directory.ts';
import { handleExit } from './containers/exit.ts';
import { followLog } from './containers/log-follow.ts';
import { hasOwnNetwork, namespacePathOf, namespacesOfSharers } from './containers/network.ts';
import { releaseContainer } from './containers/release.ts';
import { removeStopped } from './containers/remove.ts';
import { isUp } from './containers/stop.ts';
import type { EngineContext } from './context.ts';
import { recoverEdits } from './edit/recover.ts';
import { adoptExecs } from './execs/use-cases.ts';
import { settleInterruptedRuns } from './schedules/start-run.ts';

/**
 * Makes the engine's memory and the machine agree again after the daemon was away, however it went: adopts what
 * runs, settles what ended meanwhile, finishes removals, puts half-edited containers back, and clears what no row
 * owns. Order matters: the network first, as ports must answer throughout; restart policies last.
 */
export async function reconcile(context: EngineContext): Promise<void> {
  const records = context.containers.list();
  if (context.storage.database.damaged) quarantineUnknown(context);
  const alive = await adoptRunning(context, records);
  adoptNetworks(context, records, alive);
  await context.runtime.removeLeftovers(new Set(records.map(record => record.id)));
  const quarantined = context.containers.quarantined();
  const ofMounts = records.flatMap(({ mounts }) => mounts.flatMap(({ image }) => image?.snapshot ?? []));
  await context.storage.snapshots.reconcile(
    new Set([...records.map(record => record.id), ...ofMounts, ...quarantined]),
  );
  for (const id of quarantined) context.storage.snapshots.unmount(id);
  await context.storage.volumes.reconcile(volumeUsers(records, alive));
  removeUnknownDirectories(context);
  for (const record of records) {
    await logged(context, record, () => settle(context, record, alive.get(record.id)));
  }
  settleInterruptedRuns(context);
  await recoverEdits(context);
  for (const record of context.containers.list()) {
    await logged(context, record, () => removeUnwantedEndpoints(context, record));
  }
  context.storage.database.forgetDamage();
  await startByPolicies(context);
}

/** One container that cannot be put in order keeps neither the others nor the daemon from going on. */
async function logged(
  context: EngineContext,
  record: ContainerRecord,
  work: () => void | Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.log.error({ container: record.id, err: error }, 'a container could not be put in order');
  }
}

/** @returns pids by container id. A process whose start was never written down is not taken on: it is undone. */
async function adoptRunning(
  context: EngineContext,
  records: ContainerRecord[],
): Promise<Map<string, number>> {
  const alive = new Map<string, number>();
  for (const record of records) {
    const { id, state } = record;
    if ((state.status !== 'running' && state.status !== 'paused') || state.ended !== undefined) continue;
    await logged(context, record, () => {
      if (context.runtime.adopt(id) !== undefined) return;
      const { pid } = context.runtime.state(id);
      // Nothing: it has ended this very moment, and its monitor is about to say so.
      if (pid !== 0) alive.set(id, pid);
    });
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
          resolver: context.network.needsResolver(record.id) ? record.hostConfig : undefined,
        },
      ];
    }),
    containerId =>
      namespacesOfSharers(
        containerId,
        records.map(({ id, hostConfig }) => ({ hostConfig, pid: alive.get(id) ?? 0 })),
      ),
  );
}

/** A connect or disconnect that was cut off between the kernel and the container's row has not happened, or has. */
function removeUnwantedEndpoints(context: EngineContext, record: ContainerRecord): void {
  if (record.state.pid === 0) return;
  for (const endpoint of context.network.endpointsOfContainer(record.id)) {
    if (endpoint.networkName in record.endpoints) continue;
    context.network.disconnect(endpoint, namespacePathOf(record.state.pid));
    context.network.releaseEndpoint(endpoint);
  }
}

/** Running containers by the volumes they have mounted. */
function volumeUsers(records: ContainerRecord[], alive: ReadonlyMap<string, number>): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { id, mounts, state } of records) {
    // What ended meanwhile gives its volumes back when its end is settled.
    const held = alive.has(id) || state.status === 'running' || state.status === 'paused';
    if (!held) continue;
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
    (await releaseContainer(context, record))();
    await removeStopped(context, record, { volumes: record.hostConfig.autoRemove });
    return;
  }
  if (pid !== undefined) {
    await context.locks.run(record.id, () => adopt(context, record, pid));
    return;
  }
  if (state.status === 'running' || state.status === 'paused') {
    // Its monitor has kept the exit code and the time; a machine that went down has kept neither.
    const exit = state.ended ?? context.runtime.adopt(record.id);
    if (exit !== undefined) await handleExit(context, record.id, exit, { whileAway: true });
    return;
  }
  // A start that was cut off before the process was let go leaves mounts and a created process.
  (await releaseContainer(context, record))();
}

async function adopt(context: EngineContext, record: ContainerRecord, pid: number): Promise<void> {
  // Its end may have been handled meanwhile, or be about to be.
  if (!isUp(record) || context.runtime.state(record.id).pid !== pid) return;
  record.state.pid = pid;
  // It has outlived what was to end it, or never got it: its policy counts again.
  record.restartCancelled = false;
  await settlePause(context, record);
  followLog(context, record, true);
  await adoptExecs(context, record);
  if (record.state.status === 'running') context.health.resume(record);
  context.containers.save(record);
}

/** A pause that was not answered, as that of a commit, has not happened; a thaw has. */
async function settlePause(context: EngineContext, record: ContainerRecord): Promise<void> {
  const frozen = context.runtime.state(record.id).status === 'paused';
  if (record.state.status === 'running' && frozen) await context.runtime.resume(record.id);
  if (record.state.status === 'paused' && !frozen) record.state.status = 'running';
}
