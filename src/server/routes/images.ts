import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { orNull } from '../convert/host-config.ts';
import { historyToWire, imageInspectToWire, imageSummaryToWire, removalToWire } from '../convert/image.ts';
import { Filters } from '../filters.ts';
import { selectImages } from '../image-filters.ts';

/** The images of this machine. How they come and go is in image-transfer.ts. */
export const imageRoutes: readonly Route[] = [
  { method: 'GET', path: '/images/json', handler: list },
  { method: 'GET', path: '/images/search', handler: search },
  { method: 'POST', path: '/images/prune', handler: prune },
  { method: 'GET', path: '/images/{name...}/json', handler: inspect },
  { method: 'GET', path: '/images/{name...}/history', handler: history },
  { method: 'POST', path: '/images/{name...}/tag', handler: tag },
  { method: 'DELETE', path: '/images/{name...}', handler: remove },
  { method: 'GET', path: '/distribution/{name...}/json', handler: inspectInRegistry },
];

async function list(call: Call): Promise<void> {
  const summaries = selectImages(call).map(image => imageSummaryToWire(image, call.version));
  if (call.query.flag('shared-size')) {
    const { images } = await call.engine.system.diskUsage();
    const shared = new Map(images.map(({ id, sharedBytes }) => [id, sharedBytes]));
    for (const summary of summaries) summary.SharedSize = shared.get(summary.Id) ?? -1;
  }
  call.json(summaries);
}

async function inspect(call: Call): Promise<void> {
  const image = call.engine.imageStore.resolve(call.param('name'));
  const { storageDriver } = await call.engine.system.info();
  call.json(imageInspectToWire(image, { version: call.version, driver: storageDriver }));
}

function history(call: Call): void {
  const { imageStore } = call.engine;
  call.json(imageStore.history(imageStore.resolve(call.param('name')).id).map(historyToWire));
}

async function tag(call: Call): Promise<void> {
  const { query } = call;
  const repository = query.text('repo');
  const name = query.text('tag');
  await call.engine.images.tag(call.param('name'), name === '' ? repository : `${repository}:${name}`);
  call.empty(201);
}

async function remove(call: Call): Promise<void> {
  const { query } = call;
  const name = call.param('name');
  if (name.trim() === '') throw new EngineError('invalid', 'image name cannot be blank');
  const removed = await call.engine.images.remove(name, {
    force: query.flag('force'),
    noPrune: query.flag('noprune'),
  });
  call.json(removed.map(removalToWire));
}

async function prune(call: Call): Promise<void> {
  const filters = Filters.read(call.query, ['dangling', 'label', 'label!', 'until']);
  const untilMs = filters.untilMs();
  const { removed, reclaimedBytes } = await call.engine.images.prune({
    danglingOnly: filters.flag('dangling') ?? true,
    matches: image =>
      filters.prunableLabels(image.config.config?.Labels ?? {}) &&
      (untilMs === undefined || image.createdMs < untilMs),
  });
  call.json({ ImagesDeleted: orNull(removed.map(removalToWire)), SpaceReclaimed: reclaimedBytes });
}

function search(): void {
  throw new EngineError('notImplemented', 'image search is not supported yet');
}

function inspectInRegistry(): void {
  throw new EngineError('notImplemented', 'looking into a registry (distribution) is not supported yet');
}
