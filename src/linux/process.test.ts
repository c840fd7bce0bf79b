import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kill, parseSignal, signalName } from './process.ts';

test('signals are read as people write them', () => {
  const cases = { '9': 9, KILL: 9, sigterm: 15, SIGRTMIN: 34, 'SIGRTMIN+3': 37, 'RTMAX-1': 63, '64': 64 };
  for (const [text, number] of Object.entries(cases)) assert.equal(parseSignal(text), number, text);
  for (const text of ['', '0', '65', 'NOPE', 'SIGRTMIN+31', '-9', '9x']) {
    assert.throws(() => parseSignal(text), { kind: 'invalid', message: `Invalid signal: ${text}` });
  }
});

test('signals are named', () => {
  assert.equal(signalName(15), 'SIGTERM');
  assert.equal(signalName(37), '37');
});

test('process groups are never killed by mistake', () => {
  for (const pid of [0, -1, Number.NaN]) assert.throws(() => kill(pid, 0), { kind: 'internal' });
  assert.equal(kill(process.pid, 0), true);
});
