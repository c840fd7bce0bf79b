import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CacheRecord } from './cache.ts';
import { fitsRule, type PruneOptions, parseGcFilters, planPrune } from './prune-plan.ts';

const record = (key: string, changes: Partial<CacheRecord> = {}): CacheRecord => ({
  key,
  parent: null,
  chainId: null,
  description: `RUN ${key}`,
  type: 'regular',
  sizeBytes: 10,
  createdMs: 0,
  lastUsedMs: 0,
  usageCount: 1,
  inUse: false,
  shared: false,
  ...changes,
});

const records = [
  record('new', { lastUsedMs: 4 }),
  record('busy', { lastUsedMs: 3, inUse: true }),
  record('image', { lastUsedMs: 2, shared: true }),
  record('mount', { lastUsedMs: 1, type: 'exec.cachemount' }),
  record('old', { lastUsedMs: 0 }),
];

const cases: [string, PruneOptions, string][] = [
  ['what nobody uses', { all: false }, 'old mount new'],
  ['what images share, too', { all: true }, 'old mount image new'],
  ['down to a size', { all: true, reservedBytes: 30 }, 'old mount'],
  ['down to the most', { all: true, maxUsedBytes: 35 }, 'old mount'],
  ['to free disk', { all: true, minFreeBytes: 110 }, 'old'],
  ['enough is free', { all: true, minFreeBytes: 50 }, ''],
  ['to free disk, but not the reserve', { all: true, minFreeBytes: 1000, reservedBytes: 40 }, 'old'],
  ['what fits', { all: true, matches: one => one.type === 'exec.cachemount' }, 'mount'],
];

test('what a prune removes', () => {
  for (const [what, options, expected] of cases) {
    const removed = planPrune(records, options, 100);
    assert.equal(removed.map(one => one.key).join(' '), expected, what);
  }
});

test('filters of a rule', () => {
  const hourMs = 3_600_000;
  const fits = (texts: string[], changes: Partial<CacheRecord>) =>
    fitsRule(record('a', changes), { filters: parseGcFilters(texts), all: true }, 10 * hourMs);
  assert.equal(fits(['unused-for=2h'], { lastUsedMs: 7 * hourMs }), true);
  assert.equal(fits(['unused-for=2h'], { lastUsedMs: 9 * hourMs }), false);
  assert.equal(fits(['type==exec.cachemount'], {}), false);
  assert.equal(fits(['type=regular', 'type=exec.cachemount', 'inuse=false'], {}), true);
  assert.throws(() => parseGcFilters(['colour=red']), { message: 'unknown filter "colour"' });
  assert.throws(() => parseGcFilters(['unused-for=2']), { kind: 'invalid' });
});
