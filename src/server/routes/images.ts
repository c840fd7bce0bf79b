import type { ManifestSummary } from '../../api/images.ts';
import type { SearchResult } from '../../distribution/search.ts';
import type { Image } from '../../images/store.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { orNull } from '../convert/host-config.ts';
import {
  historyToWire,
  imageInspectToWire,
  imageSummaryToWire,
  manifestToWire,
  removalToWire,
  searchResultToWire,
} from '../convert/image.ts';
import { Filters } from '../filters.ts';
import { selectImages } from '../image-filters.ts';
import { platformOf, platformsOf } from '../platform-query.ts';
import { credentialsOf } from '../registry-credentials.ts';

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
  const images = selectImages(call);
  const summaries = images.map(image => imageSummaryToWire(image, call.version));
  if (call.atLeast('1.47') && call.query.flag('manifests')) {
    for (const [index, image] of images.entries()) {
      const manifests = await manifestsToWire(call, image);
      const summary = summaries[index]!;
      // All of it: what its manifests take besides the files.
      const totalBytes = manifests.reduce((sum, { Size }) => sum + Size.Total, 0);
      summary.Manifests = manifests;
      summary.Size = Math.max(summary.Size, totalBytes);
      summary.Containers = containersOf(call, image).length;
    }
  }
  if (call.query.flag('shared-size')) {
    const usage = await call.engine.system.diskUsage();
    const shared = new Map(usage.images.map(({ id, sharedBytes }) => [id, sharedBytes]));
    for (const summary of summaries) summary.SharedSize = shared.get(summary.Id) ?? -1;
  }
  call.json(summaries);
}

async function inspect(call: Call): Promise<void> {
  const image = await imageForPlatform(call);
  const { storageDriver } = await call.engine.system.info();
  const wire = imageInspectToWire(image, { version: call.version, driver: storageDriver });
  if (call.atLeast('1.48') && call.query.flag('manifests'))
    wire.Manifests = await manifestsToWire(call, call.engine.imageStore.resolve(call.param('name')));
  call.json(wire);
}

async function history(call: Call): Promise<void> {
  const { imageStore } = call.engine;
  call.json(imageStore.history(await imageForPlatform(call)).map(historyToWire));
}

async function manifestsToWire(call: Call, image: Image): Promise<ManifestSummary[]> {
  const manifests = await call.engine.images.manifests(image);
  return manifests.map(manifest => manifestToWire(manifest, containersOf(call, image)));
}

function containersOf(call: Call, image: Image): string[] {
  return call.engine.images.containersOf(image.id);
}

async function imageForPlatform(call: Call): Promise<Image> {
  const name = call.param('name');
  const image = call.engine.imageStore.resolve(name);
  return call.engine.images.forPlatform(image, platformOf(call), name);
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
  const platforms = platformsOf(call);
  if (platforms.length > 0) {
    // The only one it is kept for: without it there is no image.
    const image = call.engine.imageStore.resolve(name);
    for (const platform of platforms) call.engine.images.needPlatform(image, platform, name);
  }
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

const defaultLimit = 25;
const maxLimit = 100;

async function search(call: Call): Promise<void> {
  const limit = call.query.integer('limit') || defaultLimit;
  if (limit < 1 || limit > maxLimit) {
    throw new EngineError('invalid', `Limit ${limit} is outside the range of [1, ${maxLimit}]`);
  }
  const fits = searchFilter(Filters.read(call.query, ['is-automated', 'is-official', 'stars']));
  const options = { limit, credentials: credentialsOf(call) };
  const found = await call.engine.images.search(call.query.text('term'), options, call.signal);
  call.json(found.filter(fits).map(searchResultToWire));
}

/** @throws EngineError `invalid` in dockerd's words */
function searchFilter(filters: Filters): (result: SearchResult) => boolean {
  const wrong = filters.values('stars').find(text => !/^[+-]?\d+$/.test(text));
  if (wrong !== undefined) throw new EngineError('invalid', `invalid filter 'stars=${wrong}'`);
  const stars = Math.max(0, ...filters.values('stars').map(Number));
  const automated = filters.flag('is-automated');
  const official = filters.flag('is-official');
  return result =>
    result.starCount >= stars &&
    (automated === undefined || result.isAutomated === automated) &&
    (official === undefined || result.isOfficial === official);
}

async function inspectInRegistry(call: Call): Promise<void> {
  const { images } = call.engine;
  const { descriptor, platforms } = await images.inspectInRegistry(
    call.param('name'),
    credentialsOf(call),
    call.signal,
  );
  call.json({ Descriptor: descriptor, Platforms: orNull(platforms) });
}
