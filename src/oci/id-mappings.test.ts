import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerIdOf, formatIdMap, hostIdOf, parseIdMap } from './id-mappings.ts';

const mappings = [
  { containerID: 0, hostID: 100_000, size: 1000 },
  { containerID: 1000, hostID: 300_000, size: 10 },
];

describe('id mappings', () => {
  test('lead to the host and back, edges included', () => {
    for (const [inside, outside] of [
      [0, 100_000],
      [999, 100_999],
      [1000, 300_000],
      [1009, 300_009],
    ] as const) {
      assert.equal(hostIdOf(inside, mappings), outside);
      assert.equal(containerIdOf(outside, mappings), inside);
    }
  });

  test('know no other ids', () => {
    for (const id of [-1, 1010, 100_000]) assert.equal(hostIdOf(id, mappings), undefined);
    for (const id of [0, 99_999, 101_000, 300_010]) assert.equal(containerIdOf(id, mappings), 65534);
  });

  test('are read as the kernel writes them', () => {
    const kernel = '         0     100000       1000\n      1000     300000         10\n';
    assert.deepEqual(parseIdMap(kernel), mappings);
    assert.deepEqual(parseIdMap(formatIdMap(mappings)), mappings);
    assert.equal(parseIdMap('         0          0 4294967295\n'), undefined);
  });
});
