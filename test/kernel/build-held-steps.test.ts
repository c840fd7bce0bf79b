import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { BuilderWorld } from '../support/builder.ts';

let world: BuilderWorld;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
});
after(() => world?.close());

const dockerfile = `FROM busybox
ENV KNOWN=yes
WORKDIR /at
RUN --mount=type=tmpfs,target=/t echo half > made && exit 3
`;
const signal = AbortSignal.timeout(120_000);

test('a step that has failed is entered as it was left, and then its build fails', async () => {
  const { heldSteps } = world.builder;
  const token = 'a'.repeat(32);
  const building = world.build({ Dockerfile: dockerfile }, { holdFailed: token });
  const failed = assert.rejects(building, /returned a non-zero code: 3/);
  const step = await heldSteps.wait(token, signal);
  assert.deepEqual([step?.exitCode, step?.args.at(-1)], [3, 'echo half > made && exit 3']);
  const output = new PassThrough();
  const terminal = {
    size: { rows: 24, columns: 80 },
    input: Readable.from([Buffer.from('cat made; pwd; echo $KNOWN; grep -c " /t tmpfs" /proc/mounts')]),
    output,
    started: () => {},
  };
  const { exitCode } = await heldSteps.enter(token, ['/bin/sh'], terminal, signal);
  output.end();
  assert.deepEqual([exitCode, await text(output)], [0, 'half\n/at\nyes\n1\n']);
  await failed;
  assert.throws(() => heldSteps.release(token), { kind: 'notFound' });
  assert.deepEqual(
    world.storage.snapshots.list().filter(snapshot => snapshot.id.startsWith('build-')),
    [],
  );
});

test('it is given back unseen, by whoever has the token or when the client of the build goes', async () => {
  const { heldSteps } = world.builder;
  const held = async (token: string, aborts: AbortSignal) => {
    const building = world.build({ Dockerfile: dockerfile }, { holdFailed: token }, { signal: aborts });
    const failed = assert.rejects(building);
    await heldSteps.wait(token, signal);
    return failed;
  };
  const first = held('b'.repeat(32), signal);
  await heldSteps.wait('b'.repeat(32), signal);
  assert.throws(() => heldSteps.open('b'.repeat(32)), { kind: 'conflict' });
  heldSteps.release('b'.repeat(32));
  await first;
  const client = new AbortController();
  const second = held('c'.repeat(32), client.signal);
  await heldSteps.wait('c'.repeat(32), signal);
  client.abort();
  await second;
});

test('a build that does not fail leaves nobody waiting', async () => {
  const token = 'd'.repeat(32);
  const building = world.build(
    { Dockerfile: 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid' },
    { holdFailed: token },
  );
  const waited = await world.builder.heldSteps.wait(token, signal);
  assert.equal(waited, undefined);
  await building;
});
