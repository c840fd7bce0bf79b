import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planDiskBudget } from './plan-disk-budget.ts';

const state = { freeBytes: 100, cacheBytes: 30, imageBytes: 50, logBytes: 20 };

test('cache goes first, then images; logs count and stay', () => {
  const plan = (sizeBytes: number) => Object.values(planDiskBudget(state, { sizeBytes, unusedForMs: 0 }));
  assert.deepEqual(plan(100), [0, 0]);
  assert.deepEqual(plan(90), [10, 0]);
  assert.deepEqual(plan(60), [30, 10]);
  assert.deepEqual(plan(0), [30, 50]);
});

test('the disk that shall be free counts as well, and the larger need wins', () => {
  const plan = (keepFreeBytes: number, sizeBytes?: number) =>
    Object.values(planDiskBudget(state, { keepFreeBytes, sizeBytes, unusedForMs: 0 }));
  assert.deepEqual(plan(100), [0, 0]);
  assert.deepEqual(plan(140), [30, 10]);
  assert.deepEqual(plan(110, 60), [30, 10]);
  assert.deepEqual(plan(1000), [30, 50]);
});
