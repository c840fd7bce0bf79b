import { EngineError } from '../../stdx/errors.ts';
import { Undo } from '../../stdx/undo.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { HostConfig } from '../containers/config.ts';
import type { ContainerRecord, ResolvedMount } from '../containers/container.ts';
import { requireBindSources, settleMounts } from '../containers/create.ts';
import { validateHealthFailureAction } from '../containers/health-failure.ts';
import { inMountingOrder } from '../containers/mounts.ts';
import { newId } from '../containers/names.ts';
import { endpointOptions, hasOwnNetwork, portRequests } from '../containers/network.ts';
import { settleResources } from '../containers/resource-limits.ts';
import { refusePolicyOfAutoRemove } from '../containers/update.ts';
import { validateContainerConfig, validateHostConfig } from '../containers/validate.ts';
import type { EngineContext } from '../context.ts';
import { requireJoinable } from '../networks.ts';
import { validateSchedule } from '../schedules/validate.ts';
import type { EditEntry, EditedFields } from './edits.ts';
import { changeRunning, publishedOn } from './live.ts';
import { type EditChange, type EditPlan, planEdit, takesAtMost } from './plan.ts';
import { type Replacing, replaceProcess } from './replace.ts';
import type { EditOptions, EditRequest } from './request.ts';

export interface EditOutcome {
  changes: EditChange[];
  /** The container got (or, in a dry run, would get) a new process. */
  restarts: boolean;
}

/**
 * Changes a container in place, in one transaction: its id, name, addresses, volumes and writable layer stay. What can
 * be changed while it runs is; anything else replaces its process. When that fails the old one comes back, and also
 * when the daemon is killed on the way: `recoverEdits` finds the entry that is written before the first change.
 * @throws invalid, notFound, conflict before anything is touched; what went wrong otherwise, after all of it was undone
 */
export async function editContainer(
  context: EngineContext,
  ref: string,
  request: EditRequest,
  options: EditOptions,
): Promise<EditOutcome> {
  const record = context.containers.get(ref);
  return context.edits.alone(record, async () => {
    try {
      const begun = await context.locks.run(record.id, () => begin(context, record, request, options));
      if (begun.replacing !== undefined) await replaceProcess(context, record, begun.replacing, options);
      return { changes: begun.plan.changes, restarts: begun.way === 'restart' };
    } finally {
      context.storage.volumes.unclaim(record.id);
    }
  });
}

interface Begun {
  plan: EditPlan;
  way: EditEntry['way'];
  /** What is left to do: the process is replaced without the lock, as its end needs it. */
  replacing?: Replacing;
}

/** Decides, and does what needs no new process. */
async function begin(
  context: EngineContext,
  record: ContainerRecord,
  request: EditRequest,
  options: EditOptions,
): Promise<Begun> {
  requireEditable(record);
  const plan = nameVolumes(planEdit(record, await resolveNetworks(context, request)));
  const way = wayOf(record, plan);
  await requirePossible(context, record, plan, { ...options, way });
  if (plan.changes.length === 0 || options.dryRun) return { plan, way };
  // A volume that a plugin has already is none of ours to remove when the edit is undone.
  for (const { type, name } of plan.mounts.added)
    if (type === 'volume') await context.storage.volumes.lookUp(name);
  const entry = entryOf(context, record, plan, way);
  context.edits.begin(entry);
  const after = { ...plan.after, mounts: await makeVolumes(context, entry, plan) };
  if (way === 'restart') return { plan, way, replacing: { after, entry } };
  if (way === 'live') await changeRunning(context, record, { ...plan, after }, entry);
  else changeRow(context, record, after);
  publishContainerEvent(context, record, 'update');
  return { plan, way };
}

/** @returns all mounts, in the order they are mounted */
async function makeVolumes(
  context: EngineContext,
  entry: EditEntry,
  { mounts }: EditPlan,
): Promise<ResolvedMount[]> {
  const undo = new Undo();
  try {
    const added = await settleMounts(context, entry.containerId, mounts.added, undo);
    return inMountingOrder([...mounts.kept, ...added]);
  } catch (error) {
    context.storage.volumes.unclaim(entry.containerId);
    await undo.run(context.log);
    context.edits.end(entry.containerId);
    throw error;
  }
}

function requireEditable({ id, state }: ContainerRecord): void {
  if (state.status !== 'removing' && state.status !== 'dead') return;
  throw new EngineError('conflict', `Container ${id} is marked for removal and cannot be edited`);
}

/** Networks by the names that records have. @throws notFound */
async function resolveNetworks(context: EngineContext, request: EditRequest): Promise<EditRequest> {
  const nameOf = (ref: string) => context.network.get(ref).name;
  return {
    ...request,
    networks: Object.fromEntries(
      Object.entries(request.networks).map(([ref, endpoint]) => [nameOf(ref), endpoint]),
    ),
    // One that is gone can be left all the same.
    leaveNetworks: request.leaveNetworks.map(ref => context.network.find(ref)?.name ?? ref),
  };
}

/** Anonymous volumes get their names now, so that the entry can tell of them before they are made. */
function nameVolumes(plan: EditPlan): EditPlan {
  const added = plan.mounts.added.map(mount =>
    mount.type === 'volume' && mount.name === '' ? { ...mount, name: newId() } : mount,
  );
  return { ...plan, mounts: { ...plan.mounts, added } };
}

function wayOf({ state }: ContainerRecord, { changes }: EditPlan): EditEntry['way'] {
  const takes = takesAtMost(changes);
  if (state.pid === 0 || takes === 'nothing') return 'row';
  return takes;
}

/** What is discarded with a warning elsewhere is refused here: an edit does all that it says. @throws invalid */
function requireLimits(context: EngineContext, hostConfig: HostConfig): void {
  const { resources, warnings } = settleResources(hostConfig, context.runtime.host.limits, true);
  const [warning] = warnings;
  if (warning === undefined || JSON.stringify(resources) === JSON.stringify(hostConfig)) return;
  throw new EngineError('invalid', warning);
}

/** Everything that can be known to fail, before anything is touched. */
async function requirePossible(
  context: EngineContext,
  record: ContainerRecord,
  plan: EditPlan,
  { way, waitHealthy }: EditOptions & { way: EditEntry['way'] },
): Promise<void> {
  const { config, hostConfig } = plan.after;
  validateContainerConfig(config);
  validateHostConfig(hostConfig, config);
  validateHealthFailureAction({ config, hostConfig });
  requireLimits(context, hostConfig);
  validateSchedule(hostConfig);
  refusePolicyOfAutoRemove(record, { restartPolicy: hostConfig.restartPolicy });
  if (way === 'restart' && record.state.status === 'paused') {
    throw new EngineError(
      'conflict',
      `Container ${record.id} is paused: unpause it, as these changes need a restart`,
    );
  }
  const [check = 'NONE'] = config.healthcheck?.Test ?? [];
  if (waitHealthy && check === 'NONE') {
    throw new EngineError('invalid', `container ${record.name} has no health check to wait for`);
  }
  await requireBindSources(plan.mounts.added);
  for (const [name, endpoint] of Object.entries(plan.networks.joined)) {
    requireJoinable(record, context.network.get(name));
    if (!plan.networks.left.includes(name)) {
      context.network.requireAllocatable(endpointOptions(context, record, name, endpoint));
    }
  }
  portRequests(config, hostConfig);
  if (way !== 'row') requireFreePorts(context, record, plan);
}

function requireFreePorts(context: EngineContext, record: ContainerRecord, plan: EditPlan): void {
  if (!hasOwnNetwork(record)) return;
  // Where one of its own goes away there is room.
  const freed = publishedOn(context, record, plan.ports.removed).map(({ hostPort }) => String(hostPort));
  const wanted = plan.ports.added.filter(({ hostPort }) => !freed.includes(hostPort ?? ''));
  context.network.requireFreePorts(record.id, wanted);
}

function entryOf(
  context: EngineContext,
  record: ContainerRecord,
  plan: EditPlan,
  way: EditEntry['way'],
): EditEntry {
  const { id, config, hostConfig, endpoints, mounts, path, args } = record;
  const volumes = plan.mounts.added.filter(({ type }) => type === 'volume').map(({ name }) => name);
  return {
    containerId: id,
    before: { config, hostConfig, endpoints, mounts, path, args },
    way,
    startedAtMs: record.state.startedAtMs,
    places: context.network
      .endpointsOfContainer(id)
      .map(({ networkId, ipv4, ipv6 }) => ({ networkId, ipv4, ipv6 })),
    touchedNetworks: [...new Set([...plan.networks.left, ...Object.keys(plan.networks.joined)])],
    ports: context.network.publishedPorts(id),
    newVolumes: volumes.filter(name => context.storage.volumes.find(name) === undefined),
  };
}

/** A container without a process is its row. */
function changeRow(context: EngineContext, record: ContainerRecord, after: EditedFields): void {
  context.edits.end(record.id, () => {
    Object.assign(record, after);
    context.containers.save(record);
  });
}
