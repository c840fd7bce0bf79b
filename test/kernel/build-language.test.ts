import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { BuilderWorld, hitsOf } from '../support/builder.ts';

let world: BuilderWorld;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
});
after(async () => {
  // Nothing was opened when every test was filtered out.
  if (world === undefined) return;
  assert.deepEqual(world.storage.snapshots.list(), [], 'no snapshot is left behind');
  const { directory } = world;
  await world.close();
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  assert.equal(mounts.includes(directory), false, 'no mount is left behind');
});

test('a Dockerfile that does not come with the context', async () => {
  const dockerfileText = 'FROM busybox\nCOPY a /a\nRUN exit 4';
  await assert.rejects(world.build({ a: 'x' }, { dockerfileText, dockerfile: 'mine' }), /\nmine:3\n/);
  const { imageId } = await world.build(
    { a: 'x', Dockerfile: 'nonsense' },
    { dockerfileText: 'FROM busybox\nCOPY a /a' },
  );
  assert.equal(await world.read(imageId, '/a'), 'x');
});

test('stages that are not to be taken from the cache', async () => {
  const dockerfile =
    'FROM busybox AS One\nRUN echo 1 > /1\nFROM busybox\nRUN echo 2 > /2\nCOPY --from=one /1 /';
  const build = (noCacheStages: string[]) => world.build({ Dockerfile: dockerfile }, { noCacheStages });
  await build([]);
  const misses = async (stages: string[]) =>
    hitsOf(await build(stages))
      .filter(line => line.endsWith(': miss'))
      .map(line => line.slice(0, -6));
  assert.deepEqual(await misses(['none']), []);
  assert.deepEqual(await misses(['ONE']), ['RUN echo 1 > /1']);
  assert.deepEqual(await misses(['1']), ['RUN echo 2 > /2', 'COPY --from=one /1 /']);
});

test("the host's network needs permission", async () => {
  const refused = { message: /^network\.host is not allowed\n/ };
  const host = { Dockerfile: 'FROM busybox\nRUN --network=host true' };
  await assert.rejects(world.build(host, { entitlements: [] }), refused);
  await assert.rejects(
    world.build({ Dockerfile: 'FROM busybox\nRUN true' }, { entitlements: [], networkMode: 'host' }),
    refused,
  );
  await world.build(host);
  assert.equal(world.executor.steps.at(-1)?.network, 'host');
});

test('the linter speaks before the first step, and can forbid the build', async () => {
  const files = { Dockerfile: 'FROM busybox as a\nCOPY b /\nCMD sh', b: '', '.dockerignore': 'x' };
  const { events } = await world.build(files);
  const said = events.flatMap(event => (event.type === 'lintWarning' ? event.warning.rule : []));
  assert.deepEqual(said, ['FromAsCasing', 'JSONArgsRecommended']);
  assert.equal(events[0]?.type, 'lintWarning');
  await assert.rejects(world.build({ ...files, Dockerfile: `# check=error=true\n${files.Dockerfile}` }), {
    message: 'lint violation found for rules: FromAsCasing, JSONArgsRecommended',
  });
});
