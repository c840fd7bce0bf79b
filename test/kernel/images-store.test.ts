import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Layer } from '../../src/storage/layers.ts';
import { closeImages, imageOf, openImages, temporaryDirectory } from '../support/images.ts';

const inUse = () => [];

test('an image is found by its names, its id and an unambiguous beginning of it', async context => {
  const services = await openImages(context);
  const { images } = services;
  const { id } = await imageOf(services, 'me/app:1');
  for (const text of ['me/app:1', 'docker.io/me/app:1', id, id.slice(7), id.slice(7, 19), id.slice(0, 19)]) {
    assert.equal(images.resolve(text).id, id, text);
  }
  const nothing = `sha256:${'0'.repeat(64)}`;
  for (const [text, name] of [
    ['nope', 'nope:latest'],
    ['me/app', 'me/app:latest'],
    [nothing, nothing],
  ] as const) {
    assert.throws(() => images.resolve(text), { kind: 'notFound', message: `No such image: ${name}` });
  }
  assert.throws(() => images.resolve('Me/App'), { kind: 'invalid' });
  // Seventeen images share their first digit with another one.
  for (let more = 0; more < 16; more++)
    await images.create({ architecture: 'x', os: `os${more}` }, { layers: [] });
  const firsts = images.list().map(image => image.id.slice(7, 8));
  const twice = firsts.find((digit, at) => firsts.indexOf(digit) !== at)!;
  assert.throws(() => images.resolve(`sha256:${twice}`), {
    kind: 'invalid',
    message: `Multiple IDs found with provided prefix: ${twice}`,
  });
});

test('a tag is taken from one image to another', async context => {
  const services = await openImages(context);
  const { images } = services;
  const one = await imageOf(services, 'app:1', { a: '1' });
  const two = await imageOf(services, 'app:2', { a: '2' });
  images.tag(two.id, 'app:1');
  assert.deepEqual(images.get(one.id)!.references, []);
  assert.deepEqual(images.get(two.id)!.references, ['app:1', 'app:2']);
  assert.throws(() => images.tag(one.id, `app@sha256:${'0'.repeat(64)}`), {
    kind: 'invalid',
    message: 'refusing to create a tag with a digest reference',
  });
  assert.throws(() => images.tag(one.id, 'sha256:1'), {
    message: 'refusing to create an ambiguous tag using digest algorithm as name',
  });
  assert.throws(() => images.tag(one.id, 'App'), { kind: 'invalid' });
});

test('images share layers; only what nobody needs any more is deleted', async context => {
  const services = await openImages(context);
  const { images, storage } = services;
  const base = await imageOf(services, 'base:1', { a: 'a' });
  const [layer] = storage.layers.chain(base.chainId!) as [Layer];
  const child = await images.create(
    {
      architecture: 'amd64',
      os: 'linux',
      history: [{ created_by: 'FROM' }, { created_by: 'CMD', empty_layer: true }],
    },
    { layers: [layer], parent: base.id },
  );
  images.tag(child.id, 'child:1');
  assert.deepEqual(
    images
      .history(images.resolve('child:1'))
      .map(({ id, createdBy, sizeBytes, tags }) => ({ id, createdBy, sizeBytes, tags })),
    [
      { id: child.id, createdBy: 'CMD', sizeBytes: 0, tags: ['child:1'] },
      { id: base.id, createdBy: 'FROM', sizeBytes: layer.sizeBytes, tags: ['base:1'] },
    ],
  );
  // The import holds what it wrote for one more turn.
  await setImmediate();
  await assert.rejects(images.remove(base.id, { force: true, noPrune: false, inUse }), {
    kind: 'conflict',
    message: /image has dependent child images$/,
  });
  assert.deepEqual(await images.remove('base:1', { force: false, noPrune: false, inUse }), [
    { untagged: 'base:1', imageId: base.id, along: false },
  ]);
  assert.deepEqual(await images.remove('child:1', { force: false, noPrune: false, inUse }), [
    { untagged: 'child:1', imageId: child.id, along: false },
    { deleted: child.id, what: 'image' },
    { deleted: base.id, what: 'image' },
    { deleted: base.chainId!, what: 'layer' },
  ]);
  assert.deepEqual(images.list(), []);
  assert.deepEqual(storage.layers.list(), []);
  assert.deepEqual(storage.blobs.list(), []);
});

test('prune: dangling ones, or all that no container uses', async context => {
  const services = await openImages(context);
  const { images } = services;
  const kept = await imageOf(services, 'kept:1', { a: 'kept' });
  const used = await imageOf(services, 'used:1', { a: 'used' });
  const dangling = await imageOf(services, 'gone:1', { a: 'gone' });
  await imageOf(services, 'gone:1', { a: 'newer' });
  const options = {
    matches: () => true,
    inUse: (id: string) => (id === used.id ? [{ id: 'c'.repeat(64), running: false }] : []),
  };
  const first = await images.prune({ ...options, danglingOnly: true });
  assert.deepEqual(
    first.removed.flatMap(result => ('deleted' in result && result.what === 'image' ? [result.deleted] : [])),
    [dangling.id],
  );
  assert.equal(first.reclaimedBytes, dangling.sizeBytes);
  assert.deepEqual(await images.prune({ ...options, danglingOnly: false, matches: () => false }), {
    removed: [],
    reclaimedBytes: 0,
  });
  await images.prune({ ...options, danglingOnly: false });
  assert.deepEqual(
    images.list().map(image => image.id),
    [used.id],
  );
  assert.equal(images.find(kept.id), undefined);
});

test('everything is still there after a restart', async context => {
  const dataRoot = await temporaryDirectory(context);
  const first = await openImages(context, { dataRoot });
  const made = await imageOf(first, 'me/app:1');
  await closeImages(first);
  const second = await openImages(context, { dataRoot });
  const found = second.images.resolve('me/app:1');
  assert.deepEqual({ ...found, lastTaggedMs: 0 }, { ...made, lastTaggedMs: 0 });
  assert.equal(second.storage.layers.chain(made.chainId!).length, 1);
});
