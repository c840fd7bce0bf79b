import type { controlService, pruneRequest, usageRecord } from '../../api/buildkit/control.ts';
import { timestampOf } from '../../api/buildkit/well-known.ts';
import type { InitOf, MessageOf } from '../../api/protobuf.ts';
import type { CacheRecord } from '../../build/cache.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Services } from '../call.ts';

type UsageRecord = InitOf<typeof usageRecord>;

/** `buildx du`: the build cache. */
export async function diskUsage(
  { engine }: Services,
  filters: readonly string[],
): Promise<InitOf<(typeof controlService.diskUsage)['response']>> {
  const matches = usageFilter(filters);
  const { buildCache } = await engine.system.diskUsage();
  return { records: buildCache.filter(matches).map(recordToWire) };
}

/** `buildx prune`: one message for each record that is gone. */
export async function* prune(
  { engine, contexts }: Services,
  request: MessageOf<typeof pruneRequest>,
): AsyncGenerator<UsageRecord> {
  const matches = usageFilter(request.filters);
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

/**
 * containerd's filters, one after the other by commas all of which must hold; several filters are alternatives:
 * `id==x`, `type!=regular`, `description~=RUN`, `inuse`.
 * @throws EngineError `invalid`
 */
function usageFilter(filters: readonly string[]): (record: CacheRecord) => boolean {
  // buildx sends an empty one when it has none.
  const given = filters.filter(filter => filter !== '');
  const alternatives = given.map(filter => filter.split(',').map(oneFilter));
  return record => alternatives.length === 0 || alternatives.some(all => all.every(one => one(record)));
}

function oneFilter(text: string): (record: CacheRecord) => boolean {
  const match = /^([a-zA-Z]+)(?:(==|!=|~=)"?(.*?)"?)?$/s.exec(text.trim());
  const [, name = '', operator, value = ''] = match ?? [];
  const read = readers[name.toLowerCase()];
  if (match === null || read === undefined)
    throw new EngineError('invalid', `failed to parse prune filters: ${text}`);
  if (operator === undefined) return record => read(record) !== '' && read(record) !== 'false';
  if (operator === '==') return record => read(record) === value;
  if (operator === '!=') return record => read(record) !== value;
  const pattern = new RegExp(value);
  return record => pattern.test(read(record));
}

const readers: Record<string, (record: CacheRecord) => string> = {
  id: record => record.key,
  type: record => record.type,
  description: record => record.description,
  inuse: record => String(record.inUse),
  shared: record => String(record.shared),
  mutable: () => 'false',
  immutable: () => 'true',
  parent: record => record.parent ?? '',
  parents: record => record.parent ?? '',
};
