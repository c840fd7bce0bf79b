import type { controlService, pruneRequest, usageRecord } from '../../api/buildkit/control.ts';
import { timestampOf } from '../../api/buildkit/well-known.ts';
import type { InitOf, MessageOf } from '../../api/protobuf.ts';
import type { CacheRecord } from '../../build/cache.ts';
import type { Services } from '../call.ts';
import { fieldFilter } from './field-filters.ts';

type UsageRecord = InitOf<typeof usageRecord>;

/** `buildx du`: the build cache. */
export async function diskUsage(
  { engine }: Services,
  { filters, ageLimit }: MessageOf<(typeof controlService.diskUsage)['request']>,
): Promise<InitOf<(typeof controlService.diskUsage)['response']>> {
  const known = fieldFilter(filters, 'diskusage', readRecord);
  const unusedSinceMs = ageLimit === 0 ? Number.POSITIVE_INFINITY : Date.now() - ageLimit / 1e6;
  const matches = (record: CacheRecord) =>
    (record.lastUsedMs || record.createdMs) < unusedSinceMs && known(record);
  const { buildCache } = await engine.system.diskUsage();
  return { records: buildCache.filter(matches).map(recordToWire) };
}

/** `buildx prune`: one message for each record that is gone. */
export async function* prune(
  { engine, contexts }: Services,
  request: MessageOf<typeof pruneRequest>,
): AsyncGenerator<UsageRecord> {
  const matches = fieldFilter(request.filters, 'prune', readRecord);
  const unusedSinceMs =
    request.keepDuration === 0 ? Number.POSITIVE_INFINITY : Date.now() - request.keepDuration / 1e6;
  const before = new Map(
    (await engine.system.diskUsage()).buildCache.map(record => [record.key as string, record]),
  );
  const { deleted } = await engine.system.pruneBuildCache({
    all: request.all,
    reservedBytes: request.reservedSpace,
    maxUsedBytes: request.maxUsedSpace,
    minFreeBytes: request.minFreeSpace,
    matches: record => record.lastUsedMs < unusedSinceMs && matches(record),
  });
  await contexts.forget();
  for (const key of deleted) {
    const record = before.get(key);
    if (record !== undefined) yield recordToWire(record);
  }
}

function recordToWire(record: CacheRecord): UsageRecord {
  return {
    id: record.key,
    inUse: record.inUse,
    size: record.sizeBytes,
    createdAt: timestampOf(record.createdMs),
    ...(record.lastUsedMs === 0 ? {} : { lastUsedAt: timestampOf(record.lastUsedMs) }),
    usageCount: record.usageCount,
    description: record.description,
    recordType: record.type,
    shared: record.shared,
    parents: record.parent === null ? [] : [record.parent],
  };
}

function readRecord(record: CacheRecord, name: string): string | undefined {
  switch (name.toLowerCase()) {
    case 'id':
      return record.key;
    case 'type':
      return record.type;
    case 'description':
      return record.description;
    case 'inuse':
      return String(record.inUse);
    case 'shared':
      return String(record.shared);
    case 'private':
      return String(!record.shared);
    case 'immutable':
      return 'true';
    case 'mutable':
      return 'false';
    case 'parent':
    case 'parents':
      return record.parent ?? undefined;
    default:
      return undefined;
  }
}
