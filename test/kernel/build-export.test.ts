import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decompress } from '../../src/archive/compression.ts';
import { readBody, readTar } from '../../src/archive/tar-reader.ts';
import type { BuildExport } from '../../src/build/export/export.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { ImageConfig, Index, Manifest } from '../../src/oci/image.ts';
import { BuilderWorld } from '../support/builder.ts';

let world: BuilderWorld;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
});
after(async () => {
  if (world === undefined) return;
  assert.deepEqual(world.storage.snapshots.list(), [], 'no snapshot is left behind');
  await world.close();
});

const files = {
  Dockerfile: 'FROM busybox\nCOPY a /a\nRUN mkdir /d && echo b > /d/b && ln -s b /d/c',
  a: 'x',
};
const epoch = 1_600_000_000;

/** Builds with an archive for a result: its content by name, and the entries' times in seconds. */
async function archiveOf(
  type: 'tar' | 'oci' | 'docker',
  attributes: Record<string, string> = {},
  buildArgs: Record<string, string> = {},
) {
  const entries = new Map<string, { content: Buffer; seconds: number }>();
  const write = async (archive: AsyncIterable<Uint8Array>) => {
    for await (const entry of readTar(archive)) {
      const seconds = Number(entry.header.mtimeNs / 1_000_000_000n);
      entries.set(entry.header.name, { content: await readBody(entry, 16 << 20), seconds });
    }
  };
  const { answer } = await world.build(files, { buildArgs, exports: [{ type, attributes, write }] });
  return { entries, answer };
}

/** The image of an archive, every digest on the way checked. */
async function imageOf(archive: Awaited<ReturnType<typeof archiveOf>>) {
  const blob = (digest: string): Buffer => {
    const { content } = archive.entries.get(`blobs/sha256/${digest.slice(7)}`)!;
    assert.equal(digestOf(content), digest);
    return content;
  };
  const index = JSON.parse(archive.entries.get('index.json')!.content.toString()) as Index;
  const manifest = JSON.parse(blob(index.manifests[0]!.digest).toString()) as Manifest;
  const config = JSON.parse(blob(manifest.config.digest).toString()) as ImageConfig;
  const layers = [];
  for (const [number, layer] of manifest.layers.entries()) {
    const tar: Buffer[] = [];
    for await (const chunk of await decompress(chunksOf(blob(layer.digest)))) tar.push(chunk as Buffer);
    assert.equal(digestOf(Buffer.concat(tar)), config.rootfs.diff_ids[number]);
    layers.push(Buffer.concat(tar));
  }
  return { index, manifest, config, layers };
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

test('the file system alone: as a tree and as a tar', async () => {
  const seen: string[] = [];
  const images = world.images.list().length;
  const local: BuildExport = {
    type: 'local',
    attributes: {},
    write: async ({ root }) => {
      const entries = await root.list('/', { recursive: true });
      seen.push(...entries.map(({ path, linkTarget }) => `${path}${linkTarget && ` -> ${linkTarget}`}`));
      assert.equal((await root.readFile('/d/b'))?.toString(), 'b\n');
    },
  };
  await world.build(files, { exports: [local] });
  assert.ok(seen.includes('a') && seen.includes('d/c -> b') && seen.includes('bin/busybox'));
  const { entries } = await archiveOf('tar', {}, { SOURCE_DATE_EPOCH: String(epoch) });
  assert.equal(entries.get('d/b')?.content.toString(), 'b\n');
  assert.equal(entries.get('a')?.content.toString(), 'x');
  assert.deepEqual(new Set([...entries.values()].map(({ seconds }) => seconds)), new Set([epoch]));
  assert.equal(world.images.list().length, images, 'no image was made');
});

test('an OCI layout: every digest holds, twice the same bytes', async () => {
  const attributes = { name: 'app,example.com/app:2', 'annotation.org.example': 'yes' };
  const archive = await archiveOf('oci', attributes);
  const { index, manifest, config } = await imageOf(archive);
  assert.equal(archive.entries.has('manifest.json'), false);
  assert.deepEqual(manifest.annotations, { 'org.example': 'yes' });
  assert.equal(manifest.mediaType, 'application/vnd.oci.image.manifest.v1+json');
  assert.deepEqual(
    index.manifests.map(entry => entry.annotations?.['io.containerd.image.name']),
    ['docker.io/library/app:latest', 'example.com/app:2'],
  );
  assert.equal(config.history?.at(-1)?.created_by?.startsWith('RUN '), true);
  assert.equal(archive.answer['containerimage.digest'], index.manifests[0]?.digest);
  assert.equal(archive.answer['image.name'], 'docker.io/library/app:latest,example.com/app:2');
  assert.deepEqual(await archiveOf('oci', attributes), archive);
});

test("docker's archive; layers in other forms", async () => {
  const archive = await archiveOf('docker', { name: 'app', compression: 'uncompressed' });
  const { manifest } = await imageOf(archive);
  assert.equal(manifest.layers[0]?.mediaType, 'application/vnd.docker.image.rootfs.diff.tar');
  const [loaded] = JSON.parse(archive.entries.get('manifest.json')!.content.toString());
  assert.deepEqual(loaded.RepoTags, ['app:latest']);
  assert.equal(loaded.Layers.length, manifest.layers.length);
  const zstd = await imageOf(await archiveOf('oci', { compression: 'zstd', 'compression-level': '5' }));
  assert.equal(zstd.manifest.layers[0]?.mediaType, 'application/vnd.oci.image.layer.v1.tar+zstd');
});

test('times in layers are no later than asked for', async () => {
  const buildArgs = { SOURCE_DATE_EPOCH: String(epoch) };
  const { layers, config } = await imageOf(
    await archiveOf('oci', { 'rewrite-timestamp': 'true' }, buildArgs),
  );
  for (const layer of layers) {
    for await (const { header } of readTar(chunksOf(layer))) {
      assert.ok(header.mtimeNs <= BigInt(epoch) * 1_000_000_000n, header.name);
    }
  }
  assert.equal(config.created, '2020-09-13T12:26:40Z');
  const image = { type: 'image', attributes: { 'rewrite-timestamp': 'true', name: 'early' } } as const;
  await world.build(files, { buildArgs, exports: [image] });
  assert.deepEqual(world.images.find('early')?.config.rootfs.diff_ids, config.rootfs.diff_ids);
});

test('several exports of one build; a push', async () => {
  const archives: number[] = [];
  const write = async (archive: AsyncIterable<Uint8Array>) => {
    for await (const chunk of archive) archives.push(chunk.length);
  };
  const { answer, imageId } = await world.build(files, {
    exports: [
      { type: 'image', attributes: { name: 'one,example.com/two', push: 'true' } },
      { type: 'tar', attributes: {}, write },
    ],
  });
  assert.deepEqual(world.pushes, ['one:latest', 'example.com/two:latest']);
  assert.ok(archives.length > 0);
  assert.equal(answer['containerimage.config.digest'], imageId);
  assert.equal(world.images.find('example.com/two')?.id, imageId);
});

test('what is not supported is refused before anything is built', async () => {
  const exports: BuildExport[] = [{ type: 'image', attributes: { 'push-by-digest': 'true' } }];
  await assert.rejects(world.build({ Dockerfile: 'nonsense' }, { exports }), {
    message: 'push-by-digest is not supported by the image exporter',
  });
});
