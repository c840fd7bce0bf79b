import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../compose/observed.ts';
import type { Plan } from '../../compose/plan/plan.ts';
import { PlanWords } from './plan-words.ts';

test('a container that was left aside is waited for by the name it gets', () => {
  const aside = '0123456789ab_shop-db-1';
  const containers = ['shop-db-1', aside].map(name => ({ service: 'db', name, oneOff: false }));
  const plan = [
    { id: 1, action: { do: 'rename container', service: 'db', name: aside, to: 'shop-db-1' }, after: [] },
    { id: 2, action: { do: 'wait for service', service: 'db', condition: 'service_healthy' }, after: [1] },
  ] as unknown as Plan;
  const words = new PlanWords(plan, { containers } as unknown as Observed);
  const shown = plan.flatMap(step => words.of(step, 'begun').map(({ id, status }) => `${id} ${status}`));
  assert.deepEqual(shown, ['Container shop-db-1 Renaming', 'Container shop-db-1 Waiting']);
});
