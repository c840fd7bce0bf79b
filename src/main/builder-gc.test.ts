import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBuilderEntitlements, readBuilderGc } from './builder-gc.ts';

test('garbage collection as daemon.json has it', () => {
  assert.deepEqual(readBuilderGc({}), {
    enabled: true,
    reservedBytes: undefined,
    maxUsedBytes: undefined,
    minFreeBytes: undefined,
  });
  const { rules, reservedBytes } = readBuilderGc({
    gc: {
      enabled: true,
      defaultKeepStorage: '10GB',
      policy: [
        { keepStorage: '1g', filter: ['unused-for=48h'] },
        { all: true, maxUsedSpace: 5 },
      ],
    },
  });
  assert.equal(reservedBytes, 10 * 2 ** 30);
  assert.deepEqual(
    rules?.map(rule => [rule.all, [...rule.filters], rule.reservedBytes, rule.maxUsedBytes]),
    [
      [false, [['unused-for', ['48h']]], 2 ** 30, undefined],
      [true, [], undefined, 5],
    ],
  );
});

test('what builds may be granted', () => {
  const granted = (entitlements: object) => readBuilderEntitlements({ entitlements });
  assert.deepEqual(readBuilderEntitlements({}), ['network.host']);
  assert.deepEqual(granted({ 'security-insecure': true }), ['network.host', 'security.insecure']);
  assert.deepEqual(granted({ 'network-host': false }), []);
  assert.throws(() => granted({ device: true }), { message: 'builder.entitlements.device is not supported' });
  assert.throws(() => granted({ 'network-host': 'no' }), {
    message: 'builder.entitlements.network-host: want a boolean',
  });
});

test('what is wrong is named', () => {
  const wrong: [unknown, string | RegExp][] = [
    [[], 'builder: want an object'],
    [{ gc: { enabled: 'yes' } }, 'builder.gc.enabled: want a boolean'],
    [{ history: {} }, 'builder.history is not supported'],
    [{ gc: { policy: [{ keep: 1 }] } }, 'builder.gc.policy[0].keep is not supported'],
    [{ gc: { policy: [{ filter: ['colour=red'] }] } }, 'unknown filter "colour"'],
    [{ gc: { defaultKeepStorage: 'much' } }, "invalid size: 'much'"],
  ];
  for (const [value, message] of wrong) assert.throws(() => readBuilderGc(value), { message });
});
