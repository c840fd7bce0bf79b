import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { readBody, readTar } from '../../src/archive/tar-reader.ts';
import { type TarHeaderInit, TarWriter } from '../../src/archive/tar-writer.ts';
import { bootstrapImage } from '../../src/images/bootstrap.ts';
import { importImage } from '../../src/images/import.ts';
import { loadImages } from '../../src/images/load.ts';
import { saveImages } from '../../src/images/save.ts';
import type { ImageServices } from '../../src/images/services.ts';
import { imageOf, never, openImages, recorder, sha256, tarOf } from '../support/images.ts';

async function save(services: ImageServices, ...names: string[]): Promise<Buffer> {
  return Buffer.concat(await (await saveImages(services, names)).toArray());
}

function load(services: ImageServices, tar: Buffer) {
  return loadImages(services, Readable.from([tar]), { quiet: false }, () => {}, never);
}

async function filesOf(tar: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of readTar(Readable.from([tar]))) {
    files.set(entry.header.name, await readBody(entry, 10 << 20));
  }
  return files;
}

/** A docker archive as Docker wrote it before 25: a directory for each layer. */
async function dockerArchive(
  layers: Buffer[],
  options: { tags?: string[]; config?: object } = {},
): Promise<Buffer> {
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
    ...options.config,
  });
  const manifest = [
    { Config: 'cfg.json', RepoTags: options.tags ?? null, Layers: layers.map((_, at) => `${at}/layer.tar`) },
  ];
  const parts: Record<string, string | Buffer> = { 'cfg.json': config };
  for (const [at, layer] of layers.entries()) parts[`${at}/layer.tar`] = layer;
  return tarOf({ ...parts, 'manifest.json': JSON.stringify(manifest) });
}

async function tarOfEntries(...entries: (TarHeaderInit & { content?: string })[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const tar = new TarWriter(bytes => {
    chunks.push(Buffer.from(bytes));
  });
  for (const { content, ...header } of entries) await tar.add(header, content);
  await tar.end();
  return Buffer.concat(chunks);
}

test('save and load: the same ids, names and bytes', async context => {
  const one = await openImages(context);
  const made = await imageOf(one, 'me/app:1', { file: 'content' });
  one.images.tag(made.id, 'me/app:2');
  const tar = await save(one, 'me/app');
  assert.deepEqual(await save(one, 'me/app'), tar, 'the same images give the same archive');

  const files = await filesOf(tar);
  const [entry] = JSON.parse(String(files.get('manifest.json'))) as {
    Config: string;
    RepoTags: string[];
    Layers: string[];
  }[];
  assert.deepEqual(entry!.RepoTags, ['me/app:1', 'me/app:2']);
  assert.equal(entry!.Config, `blobs/sha256/${made.id.slice(7)}`);
  assert.equal(sha256(files.get(entry!.Layers[0]!)!), made.config.rootfs.diff_ids[0]);
  assert.deepEqual(JSON.parse(String(files.get('oci-layout'))), { imageLayoutVersion: '1.0.0' });
  assert.equal(JSON.parse(String(files.get('index.json'))).manifests.length, 2);

  for (const archive of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
    const other = await openImages(context);
    const { lines, loaded } = await load(other, archive);
    assert.deepEqual(lines, ['Loaded image: me/app:1', 'Loaded image: me/app:2']);
    assert.deepEqual(loaded, ['me/app:1', 'me/app:2']);
    assert.equal(other.images.resolve('me/app:2').id, made.id);
    assert.deepEqual(await save(other, 'me/app'), tar);
  }
});

test('an OCI layout without Docker’s files', async context => {
  const one = await openImages(context);
  const made = await imageOf(one, 'me/app:1');
  const files = await filesOf(await save(one, 'me/app:1'));
  for (const name of ['manifest.json', 'repositories', 'blobs/', 'blobs/sha256/']) files.delete(name);
  const other = await openImages(context);
  const { lines } = await load(other, await tarOf(Object.fromEntries(files)));
  assert.deepEqual(lines, ['Loaded image: me/app:1']);
  assert.equal(other.images.resolve('me/app:1').id, made.id);
});

test('an older docker archive, with links between its layers, by id', async context => {
  const services = await openImages(context);
  const layer = await tarOf({ a: 'a' });
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [sha256(layer), sha256(layer)] },
  });
  const manifest = JSON.stringify([
    { Config: 'c.json', RepoTags: null, Layers: ['1/layer.tar', '2/layer.tar'] },
  ]);
  const chunks: Buffer[] = [];
  const tar = new TarWriter(bytes => {
    chunks.push(Buffer.from(bytes));
  });
  await tar.add({ name: 'manifest.json', type: 'file' }, manifest);
  await tar.add({ name: 'c.json', type: 'file' }, config);
  await tar.add({ name: '1/layer.tar', type: 'file' }, layer);
  await tar.add({ name: '2/layer.tar', type: 'symlink', linkName: '../1/layer.tar' });
  await tar.end();
  const { lines } = await load(services, Buffer.concat(chunks));
  assert.deepEqual(lines, [`Loaded image ID: ${sha256(config)}`]);
});

test('a name that meant another image: docker says so', async context => {
  const services = await openImages(context);
  const before = await imageOf(services, 'me/app:1', { a: 'old' });
  const { lines } = await load(
    services,
    await dockerArchive([await tarOf({ a: 'new' })], { tags: ['me/app:1'] }),
  );
  assert.equal(
    lines[0],
    `The image me/app:1 already exists, renaming the old one with ID ${before.id} to empty string`,
  );
  assert.deepEqual(services.images.get(before.id)!.references, []);
});

test('hostile and broken archives are refused, and leave nothing', async context => {
  const services = await openImages(context);
  const layer = await tarOf({ a: 'a' });
  const file = (name: string, content = 'x'): TarHeaderInit & { content: string } => ({
    name,
    type: 'file',
    content,
  });
  const cases: [string, Buffer, string, RegExp][] = [
    [
      'climbing name',
      await tarOfEntries(file('../../etc/passwd')),
      'invalid',
      /"..\/..\/etc\/passwd" leads outside/,
    ],
    ['absolute name', await tarOfEntries(file('/etc/passwd')), 'invalid', /leads outside/],
    [
      'absolute link',
      await tarOfEntries({ name: 'manifest.json', type: 'symlink', linkName: '/etc/passwd' }),
      'invalid',
      /leads outside/,
    ],
    [
      'climbing link',
      await tarOfEntries({ name: 'a/b', type: 'symlink', linkName: '../../x' }),
      'invalid',
      /leads outside/,
    ],
    [
      'hard link',
      await tarOfEntries({ name: 'a', type: 'hardlink', linkName: '../x' }),
      'invalid',
      /leads outside/,
    ],
    ['device', await tarOfEntries({ name: 'a', type: 'block', devMajor: 8 }), 'invalid', /is a device/],
    [
      'link in a circle',
      await tarOfEntries({ name: 'manifest.json', type: 'symlink', linkName: 'manifest.json' }),
      'invalid',
      /too many links/,
    ],
    [
      'lying blob',
      await tarOfEntries(file(`blobs/sha256/${'0'.repeat(64)}`)),
      'corrupt',
      /not what its name says/,
    ],
    ['no image', layer, 'invalid', /neither manifest.json nor index.json/],
    ['no JSON', await tarOfEntries(file('manifest.json', '{')), 'invalid', /manifest.json is not JSON/],
    ['no list', await tarOfEntries(file('manifest.json', '{}')), 'invalid', /manifest.json is no list/],
    ['null entry', await tarOfEntries(file('manifest.json', '[null]')), 'invalid', /bad entry/],
    [
      'missing config',
      await tarOfEntries(file('manifest.json', '[{"Config":"c","Layers":[]}]')),
      'invalid',
      /c is missing/,
    ],
    [
      'outside config',
      await tarOfEntries(file('manifest.json', '[{"Config":"/etc/hostname","Layers":[]}]')),
      'invalid',
      /missing/,
    ],
    [
      'wrong layer',
      await dockerArchive([layer], { config: { rootfs: { type: 'layers', diff_ids: [sha256('x')] } } }),
      'corrupt',
      /./,
    ],
    [
      'too few layers',
      await dockerArchive([layer], { config: { rootfs: { type: 'layers', diff_ids: [] } } }),
      'invalid',
      /layers length mismatch: expected 0, got 1/,
    ],
    ['bad name', await dockerArchive([layer], { tags: ['Me/App:1'] }), 'invalid', /must be lowercase/],
    ['cut', (await dockerArchive([layer])).subarray(0, 1024), 'invalid', /./],
    ['no tar', Buffer.from('hello\n'), 'invalid', /./],
  ];
  for (const [what, tar, kind, message] of cases) {
    await assert.rejects(load(services, tar), { kind, message }, what);
  }
  assert.deepEqual(services.images.list(), []);
  assert.deepEqual(services.images.leases.list(), []);
});

test('saving what is not there, in docker’s words', async context => {
  const services = await openImages(context);
  await assert.rejects(saveImages(services, ['nope']), { kind: 'notFound', message: 'No such image: nope' });
  await assert.rejects(saveImages(services, ['nope:1']), {
    kind: 'notFound',
    message: 'reference does not exist',
  });
});

test('import: one layer, with the configuration given', async context => {
  const services = await openImages(context);
  const tar = await tarOf({ a: 'a' });
  const options = { reference: 'imported:1', message: 'hello', config: { Cmd: ['sh'] } };
  for (const packed of [tar, gzipSync(tar)]) {
    const image = await importImage(services, Readable.from([packed]), options, never);
    assert.deepEqual(image.config.rootfs.diff_ids, [sha256(tar)]);
    assert.deepEqual(image.references, ['imported:1']);
    assert.deepEqual(image.config.config, { Cmd: ['sh'] });
    assert.equal(image.config.history![0]!.comment, 'hello');
  }
  const digest = `a@sha256:${'0'.repeat(64)}`;
  await assert.rejects(importImage(services, Readable.from([tar]), { reference: digest }, never), {
    kind: 'invalid',
  });
});

test('busybox from the host’s package: the same image on every machine', async context => {
  const ids = [];
  for (let machine = 0; machine < 2; machine++) {
    const services = await openImages(context);
    const { progress, lines } = recorder();
    const image = await bootstrapImage(services, 'busybox:mine', {}, progress, never);
    assert.deepEqual(image.references, ['busybox:latest', 'busybox:mine']);
    assert.deepEqual(image.config.config!.Cmd, ['sh']);
    assert.equal(lines()[0], 'busybox:mine: Bootstrapping');
    ids.push(image.id);
  }
  assert.equal(ids[0], ids[1]);
  const services = await openImages(context);
  for (const spec of ['alpine', 'debian', 'debian:../x', 'busybox:', 'debian:book worm']) {
    await assert.rejects(
      bootstrapImage(services, spec, {}, () => {}, never),
      { kind: 'invalid', message: /^cannot bootstrap/ },
    );
  }
});
