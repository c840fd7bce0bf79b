import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { volumeCreate } from '../convert/shapes.ts';
import { volumeToWire } from '../convert/volume.ts';
import { Filters } from '../filters.ts';

export const volumeRoutes: readonly Route[] = [
  { method: 'GET', path: '/volumes', handler: list },
  { method: 'POST', path: '/volumes/create', handler: create },
  { method: 'POST', path: '/volumes/prune', handler: prune },
  { method: 'GET', path: '/volumes/{name}', handler: inspect },
  { method: 'PUT', path: '/volumes/{name}', handler: update },
  { method: 'DELETE', path: '/volumes/{name}', handler: remove },
];

async function list(call: Call): Promise<void> {
  const { volumes } = call.engine;
  const filters = Filters.read(call.query, ['dangling', 'driver', 'label', 'name']);
  const dangling = filters.flag('dangling');
  const listed = await volumes.listAll();
  const shown = listed.volumes.filter(
    volume =>
      filters.match('name', volume.name) &&
      filters.exact('driver', volume.driver) &&
      filters.labels('label', volume.labels) &&
      (dangling === undefined || (volumes.usersOf(volume.name).length === 0) === dangling),
  );
  call.json({
    Volumes: shown.map(volume => volumeToWire(volume)),
    Warnings: listed.warnings.length > 0 ? listed.warnings : null,
  });
}

async function inspect(call: Call): Promise<void> {
  call.json(volumeToWire(await call.engine.volumes.get(call.param('name'))));
}

async function create(call: Call): Promise<void> {
  const body = await call.body(volumeCreate, 'VolumeCreateBody');
  if (body.ClusterVolumeSpec !== undefined) {
    throw new EngineError('notImplemented', 'cluster volumes are not supported');
  }
  const volume = await call.engine.volumes.create({
    name: body.Name || undefined,
    driver: body.Driver || undefined,
    labels: body.Labels,
    options: body.DriverOpts,
  });
  call.json(volumeToWire(volume), 201);
}

function update(): void {
  throw new EngineError('notImplemented', 'updating volumes is for cluster volumes, which are not supported');
}

async function remove(call: Call): Promise<void> {
  await call.engine.volumes.remove(call.param('name'), { force: call.query.flag('force') });
  call.empty(204);
}

async function prune(call: Call): Promise<void> {
  const filters = Filters.read(call.query, ['all', 'label', 'label!']);
  const { deleted, reclaimedBytes } = await call.engine.volumes.prune({
    // Named volumes are spared since 1.42, unless asked for.
    all: filters.flag('all') ?? !call.atLeast('1.42'),
    matches: volume => filters.prunableLabels(volume.labels),
  });
  call.json({ VolumesDeleted: deleted, SpaceReclaimed: reclaimedBytes });
}
