import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './page.ts';

test('the page says the time of day', () => {
  assert.equal(page('Hello', new Date('2026-01-02T03:04:05Z')), 'Hello, it is 03:04\n');
});
