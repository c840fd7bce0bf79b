import { EngineError } from '../stdx/errors.ts';
import { parseGoDuration } from '../stdx/go-duration.ts';
import type { CacheRecord } from './cache.ts';

export interface PruneOptions {
  /** Also what images share: that frees nothing now, and the next build has to make it anew. */
  all: boolean;
  matches?: (record: CacheRecord) => boolean;
  /** So much is always kept. */
  reservedBytes?: number;
  /** No more than this is kept. */
  maxUsedBytes?: number;
  /** So much of the disk shall be free. */
  minFreeBytes?: number;
}

/** What a prune removes: longest unused first, until no more than allowed is left. */
export function planPrune(
  records: readonly CacheRecord[],
  options: PruneOptions,
  freeBytes: number,
): CacheRecord[] {
  const total = records.reduce((sum, record) => sum + record.sizeBytes, 0);
  const keepBytes = bytesToKeep(total, options, freeBytes);
  const oldestFirst = [...records].sort((a, b) => a.lastUsedMs - b.lastUsedMs || (a.key < b.key ? -1 : 1));
  const removed: CacheRecord[] = [];
  let leftBytes = total;
  for (const record of oldestFirst) {
    if (keepBytes !== undefined && leftBytes <= keepBytes) break;
    if (record.inUse || (record.shared && !options.all) || options.matches?.(record) === false) continue;
    removed.push(record);
    leftBytes -= record.sizeBytes;
  }
  return removed;
}

/** BuildKit's rule (cache/manager.go, calculateKeepBytes). undefined: nothing limits what is removed. */
function bytesToKeep(total: number, options: PruneOptions, freeBytes: number): number | undefined {
  const { reservedBytes = 0, maxUsedBytes = 0, minFreeBytes = 0 } = options;
  if (reservedBytes === 0 && maxUsedBytes === 0 && minFreeBytes === 0) return undefined;
  // A lone reserve is what shall be left.
  const limits: number[] = minFreeBytes === 0 && maxUsedBytes === 0 ? [0] : [];
  if (maxUsedBytes > 0) limits.push(maxUsedBytes);
  const lackingBytes = minFreeBytes - freeBytes;
  if (minFreeBytes > 0) limits.push(lackingBytes > 0 ? total - lackingBytes : total);
  return Math.max(Math.min(...limits), reservedBytes, 0);
}

/** One rule of garbage collection: daemon.json, `builder.gc.policy`. */
export interface GcRule extends Omit<PruneOptions, 'matches'> {
  /** `unused-for=48h`, `type=exec.cachemount`: by name, the values of which one must fit. */
  filters: ReadonlyMap<string, readonly string[]>;
}

/** Filters of a rule; a rule with one nobody knows would remove what it should not. */
const gcFilters: readonly string[] = ['id', 'type', 'description', 'inuse', 'shared', 'unused-for', 'until'];

/** @param texts `name=value` each. @throws EngineError `invalid` */
export function parseGcFilters(texts: readonly string[]): GcRule['filters'] {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = text.slice(0, equals < 0 ? undefined : equals).trim();
    const value =
      equals < 0
        ? ''
        : text
            .slice(equals + 1)
            .replace(/^=/, '')
            .trim();
    if (!gcFilters.includes(name)) throw new EngineError('invalid', `unknown filter "${name}"`);
    if (name === 'unused-for' || name === 'until') parseGoDuration(value);
    filters.set(name, [...(filters.get(name) ?? []), value]);
  }
  return filters;
}

export function fitsRule(record: CacheRecord, { filters }: GcRule, nowMs: number): boolean {
  const unusedFor = (value: string) => record.lastUsedMs < nowMs - parseGoDuration(value) / 1e6;
  const values: Record<string, (value: string) => boolean> = {
    id: value => record.key.includes(value),
    type: value => record.type === value,
    description: value => record.description.includes(value),
    inuse: value => String(record.inUse) === value,
    shared: value => String(record.shared) === value,
    'unused-for': unusedFor,
    until: unusedFor,
  };
  return [...filters].every(([name, wanted]) => wanted.some(value => values[name]!(value)));
}

/** What dockerd collects without a policy: what is old, then what is too much. */
export function defaultGcRules(limits: Omit<PruneOptions, 'matches' | 'all'>): GcRule[] {
  return [
    { filters: new Map([['unused-for', ['1440h']]]), all: false, ...limits },
    { filters: new Map(), all: false, ...limits },
    { filters: new Map(), all: true, ...limits },
  ];
}
