import { compareVersions } from '../../api/paths.ts';
import type { DiskUsageResponse } from '../../api/system.ts';
import type { Engine } from '../../engine/engine.ts';
import type { DiskUsage } from '../../engine/system.ts';
import { summaryContext, summaryToWire } from './container-summary.ts';
import { imageSummaryToWire } from './image.ts';
import { goTime } from './time.ts';
import { volumeToWire } from './volume.ts';

/** @param options.types kinds asked for; the others are left out */
export function diskUsageToWire(
  engine: Engine,
  usage: DiskUsage,
  options: { version: string; types: readonly string[] },
): Partial<DiskUsageResponse> {
  const wants = (type: string) => options.types.includes(type);
  return {
    ...(wants('image')
      ? { LayersSize: usage.layersBytes, Images: imagesToWire(engine, usage, options.version) }
      : {}),
    ...(wants('container') ? { Containers: containersToWire(engine, usage, options.version) } : {}),
    ...(wants('volume') ? { Volumes: volumesToWire(engine, usage) } : {}),
    ...(wants('build-cache') ? { BuildCache: buildCacheToWire(usage) } : {}),
    ...(compareVersions(options.version, '1.42') < 0
      ? { BuilderSize: usage.buildCache.reduce((sum, record) => sum + record.sizeBytes, 0) }
      : {}),
  };
}

/** What was removed since the usage was measured is left out. */
function imagesToWire(engine: Engine, usage: DiskUsage, version: string) {
  return usage.images.flatMap(({ id, sharedBytes, containers }) => {
    const image = engine.imageStore.find(id);
    if (image === undefined) return [];
    return [{ ...imageSummaryToWire(image, version), SharedSize: sharedBytes, Containers: containers }];
  });
}

function containersToWire(engine: Engine, usage: DiskUsage, version: string) {
  const sizes = new Map(usage.containers.map(one => [one.id, one]));
  const context = summaryContext(engine, version);
  return engine.containers.list().map(record => ({
    ...summaryToWire(context, record),
    SizeRw: sizes.get(record.id)?.rwBytes ?? 0,
    SizeRootFs: sizes.get(record.id)?.rootBytes ?? 0,
  }));
}

function volumesToWire(engine: Engine, usage: DiskUsage) {
  const sizes = new Map(usage.volumes.map(one => [one.name, one]));
  return engine.volumes
    .listOwn()
    .map(volume => volumeToWire(volume, sizes.get(volume.name) ?? { sizeBytes: -1, references: -1 }));
}

function buildCacheToWire(usage: DiskUsage): DiskUsageResponse['BuildCache'] {
  return usage.buildCache.map(record => ({
    ID: record.key,
    ...(record.parent === null ? {} : { Parents: [record.parent] }),
    Type: record.type,
    Description: record.description,
    InUse: record.inUse,
    Shared: record.shared,
    Size: record.sizeBytes,
    CreatedAt: goTime(record.createdMs),
    LastUsedAt: record.lastUsedMs === 0 ? null : goTime(record.lastUsedMs),
    UsageCount: record.usageCount,
  }));
}
