import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inlineMember } from '../../src/build/transfer/cache-config.ts';
import type { Manifest } from '../../src/oci/image.ts';
import { BuilderWorld, type Built, hitsOf } from '../support/builder.ts';

let here: BuilderWorld;
/** Another machine: it has the base image and nothing else. */
let there: BuilderWorld;
before(async () => {
  here = await BuilderWorld.open();
  there = await BuilderWorld.open();
  // Bases are told by their files: made with the same times, they are the same.
  const buildArgs = { SOURCE_DATE_EPOCH: '1700000000' };
  const [one, two] = [await here.makeBase({ buildArgs }), await there.makeBase({ buildArgs })];
  assert.equal(one.id, two.id);
});
after(async () => {
  await here?.close();
  await there?.close();
});

const files = {
  a: 'A',
  Dockerfile: `FROM busybox AS tools
RUN cat /proc/sys/kernel/random/uuid > /tool
FROM busybox
COPY --from=tools /tool /tool
COPY a /a
COPY --link a /linked
RUN --mount=type=cache,id=filled,target=/c cat /proc/sys/kernel/random/uuid > /u; echo kept > /c/f
RUN true
`,
};

const misses = (built: Built) => hitsOf(built).filter(line => line.endsWith('miss'));
const sentences = (built: Built) =>
  new Set(built.events.flatMap(event => (event.type === 'stepExplained' && event.hit ? event.sentence : [])));

test('a cache in a directory serves another machine: every step, every layer verified', async () => {
  const directory = join(here.directory, 'exported');
  const attributes = { dest: directory, mode: 'max', mounts: 'true' };
  const built = await here.build(files, { cacheTo: [{ type: 'local', attributes }] });
  const cacheFrom = [{ type: 'local' as const, attributes: { src: directory, mounts: 'true' } }];
  const again = await there.build(files, { cacheFrom });
  assert.deepEqual(misses(again), []);
  assert.equal(again.imageId, built.imageId);
  assert.ok(sentences(again).has(`imported from ${directory}`));
  const mounts = (await there.builder.usage.list()).filter(record => record.type === 'exec.cachemount');
  assert.deepEqual(
    mounts.map(({ description, sizeBytes }) => [description, sizeBytes]),
    [['cache mount with id "filled"', 5]],
  );
  // From now on the steps are its own.
  assert.deepEqual(misses(await there.build(files)), []);
});

test('a cache with mode=min has the steps of the result only', async () => {
  const directory = join(here.directory, 'min');
  await here.build(files, { cacheTo: [{ type: 'local', attributes: { dest: directory } }] });
  await there.builder.prune({ all: true });
  for (const image of there.images.list())
    if (image.references.length === 0)
      await there.images.remove(image.id, { force: false, noPrune: false, inUse: () => [] });
  await there.builder.prune({ all: true });
  const again = await there.build(files, { cacheFrom: [{ type: 'local', attributes: { src: directory } }] });
  assert.ok(misses(again).includes('RUN cat /proc/sys/kernel/random/uuid > /tool: miss'));
});

test('a layer that is not what the cache says is not used', async () => {
  const directory = join(here.directory, 'wrong');
  const text = { Dockerfile: 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /wrong' };
  await here.build(text, { cacheTo: [{ type: 'local', attributes: { dest: directory } }] });
  const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'));
  const blob = (digest: string) => join(directory, 'blobs', ...digest.split(':'));
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), 'utf8')) as Manifest;
  const layer = blob(manifest.layers[0]!.digest);
  const bytes = readFileSync(layer);
  bytes[20]! ^= 1;
  writeFileSync(layer, bytes);
  const cacheFrom = [{ type: 'local' as const, attributes: { src: directory } }];
  const built = await there.build(text, { cacheFrom });
  assert.equal(misses(built).length, 1);
  assert.match(warningsOf(built), /a cached step of .* cannot be used: /);
  assert.deepEqual(readdirSync(join(there.directory, 'data/ingest')), []);
});

test('a source that is not there costs its hits only', async () => {
  const cacheFrom = [{ type: 'registry' as const, attributes: { ref: 'nowhere' } }];
  const built = await there.build({ Dockerfile: 'FROM busybox\nRUN echo x > /x' }, { cacheFrom });
  assert.match(warningsOf(built), /the cache nowhere cannot be used: there is no registry for nowhere/);
});

test('an image with an inline cache is a source, and only for what it was made of', async () => {
  const text = `FROM busybox\nCOPY a /a\nRUN cat /proc/sys/kernel/random/uuid > /inline\n`;
  const inline = { buildArgs: { BUILDKIT_INLINE_CACHE: '1' }, tags: ['inlined'] };
  const built = await there.build({ a: '1', Dockerfile: text }, inline);
  assert.ok(inlineMember in built.image.config);
  assert.doesNotMatch(warningsOf(built), /not consumed/);
  await there.builder.prune({ all: true });
  const cacheFrom = [{ type: 'registry' as const, attributes: { ref: 'inlined' } }];
  const again = await there.build({ a: '1', Dockerfile: text }, { ...inline, cacheFrom });
  assert.deepEqual(misses(again), []);
  assert.equal(again.imageId, built.imageId);
  const other = await there.build({ a: '2', Dockerfile: text }, { ...inline, cacheFrom });
  assert.equal(misses(other).length, 2);
});

function warningsOf(built: Built): string {
  return built.events.flatMap(event => (event.type === 'warning' ? event.text : [])).join('\n');
}
