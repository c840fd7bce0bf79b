import assert from 'node:assert/strict';
import { test } from 'node:test';
import { variablesIn } from './variables.ts';

test('variables in all forms, each once', () => {
  const model = {
    a: ['$PLAIN and ${BRACED}', '$$NOT ${OUTER:-x ${INNER-y}} $'],
    b: { c: '${NEEDED:?say it}${SET+there}', d: 'none', e: 3, f: null },
    g: '${OUTER} ${PLAIN:-late}',
  };
  const shown = variablesIn(model).map(
    ({ name, required, defaultValue, alternateValue }) =>
      `${name} ${required} ${JSON.stringify(defaultValue)} ${JSON.stringify(alternateValue)}`,
  );
  assert.deepEqual(shown, [
    'BRACED false "" ""',
    'INNER false "y" ""',
    'NEEDED true "" ""',
    'OUTER false "x ${INNER-y}" ""',
    'PLAIN false "late" ""',
    'SET false "" "there"',
  ]);
});
