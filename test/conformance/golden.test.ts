import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readGolden } from './golden.ts';
import { detailed } from './scenario.ts';
import { groups } from './scenarios.ts';

test('every scenario has a recorded answer, to its lines as they are now', () => {
  const stale: string[] = [];
  for (const [group, scenarios] of Object.entries(groups)) {
    const golden = readGolden(group);
    for (const { name, steps } of scenarios) {
      const lines = steps.map(step => detailed(step).run);
      if (JSON.stringify(golden[name]?.lines) !== JSON.stringify(lines)) stale.push(`${group}: ${name}`);
    }
  }
  // `npm test -- conformance --record NAME` asks dockerd again.
  assert.deepEqual(stale, []);
});
