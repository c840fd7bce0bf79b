import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { InFlight } from './in-flight.ts';

test('asked for twice, done once; who joins late sees it all', async () => {
  const flights = new InFlight<number, string>();
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  const work = async (emit: (event: string) => void): Promise<number> => {
    emit('a');
    await gate.promise;
    emit('b');
    return ++runs;
  };
  const first: string[] = [];
  const second: string[] = [];
  const signal = new AbortController().signal;
  const one = flights.run('k', event => first.push(event), signal, work);
  await turn();
  const two = flights.run('k', event => second.push(event), signal, work);
  gate.resolve();
  assert.deepEqual(await Promise.all([one, two]), [1, 1]);
  assert.deepEqual(
    [first, second],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  );
  assert.equal(
    await flights.run(
      'k',
      () => {},
      signal,
      async () => 7,
    ),
    7,
  );
});

test('work goes on while somebody wants it', async () => {
  const flights = new InFlight<string, never>();
  const gate = Promise.withResolvers<void>();
  let aborted = false;
  const work = async (_emit: unknown, signal: AbortSignal): Promise<string> => {
    signal.addEventListener('abort', () => gate.reject(new Error('killed')));
    signal.addEventListener('abort', () => (aborted = true));
    await gate.promise;
    return 'done';
  };
  const a = new AbortController();
  const b = new AbortController();
  const one = flights.run('k', () => {}, a.signal, work);
  const two = flights.run('k', () => {}, b.signal, work);
  await turn();
  a.abort();
  await assert.rejects(one, { kind: 'cancelled' });
  assert.equal(aborted, false);
  b.abort();
  await assert.rejects(two, { message: 'killed' });
  assert.equal(aborted, true);
});
