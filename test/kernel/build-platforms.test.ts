import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readBody, readTar } from '../../src/archive/tar-reader.ts';
import type { BuildExport } from '../../src/build/export/export.ts';
import { keptIndex } from '../../src/images/kept-manifests.ts';
import { manifestSummaries } from '../../src/images/manifest-summaries.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Index, Manifest } from '../../src/oci/image.ts';
import { readAttestations } from '../../src/server/buildkit/attestation-options.ts';
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

const platform = 'linux/arm64,linux/amd64,linux/arm64/v8';
const files = {
  Dockerfile: `FROM --platform=$BUILDPLATFORM busybox AS tools
RUN echo tool > /tool
FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETARCH
RUN echo "$TARGETARCH" > /arch
FROM scratch
COPY --from=tools /tool /
COPY --from=build /arch /`,
};

async function entriesOf(archive: AsyncIterable<Uint8Array>): Promise<Map<string, Buffer>> {
  const entries = new Map<string, Buffer>();
  for await (const entry of readTar(archive)) entries.set(entry.header.name, await readBody(entry, 16 << 20));
  return entries;
}

test('one index; what does not know its target runs once', async () => {
  const { imageId, answer, events } = await world.build(files, { platform, tags: ['multi'] });
  const image = world.images.resolve('multi');
  assert.equal(image.id, imageId);
  assert.equal(image.config.architecture, 'amd64');
  const runs = events.flatMap(event => (event.type === 'stepRunning' ? [event.step.platform?.label] : []));
  assert.deepEqual([...new Set(runs)].sort(), ['linux/amd64', 'linux/amd64->arm64']);
  assert.equal(world.executor.steps.filter(({ args }) => args.join(' ').includes('echo tool')).length, 1);

  const [row] = world.images.manifestsOf(imageId).filter(({ kind }) => kind === 'index');
  assert.equal(row?.digest, answer['containerimage.digest']);
  const [own] = world.images.manifestsOf(imageId).filter(({ kind }) => kind === 'manifest');
  const kept = await keptIndex(world, image, own!.digest);
  assert.deepEqual(
    kept?.index.manifests.map(entry => entry.platform),
    [
      { architecture: 'arm64', os: 'linux' },
      { architecture: 'amd64', os: 'linux' },
    ],
  );
  assert.deepEqual([kept.others.length, kept.missing.length], [1, 0]);
  const summaries = await manifestSummaries(world, image);
  assert.deepEqual(
    summaries.map(({ available }) => available),
    [true, true],
  );

  // Built for one platform it is an image like any other, and what belonged to the index goes with it.
  await world.images.remove('multi', { force: false, noPrune: false, inUse: () => [] });
  assert.equal(world.storage.blobs.has(row!.digest), false);
});

test('an OCI layout with all of it; docker has no archive for that', async () => {
  let entries = new Map<string, Buffer>();
  const write = async (archive: AsyncIterable<Uint8Array>) => {
    entries = await entriesOf(archive);
  };
  const attributes = { 'annotation-index.a': '1', 'annotation-manifest[linux/arm64].b': '2' };
  const { answer } = await world.build(files, { platform, exports: [{ type: 'oci', attributes, write }] });
  const blob = (digest: string): Buffer => {
    const content = entries.get(`blobs/sha256/${digest.slice(7)}`)!;
    assert.equal(digestOf(content), digest);
    return content;
  };
  const { manifests } = JSON.parse(entries.get('index.json')!.toString()) as Index;
  assert.equal(manifests[0]?.digest, answer['containerimage.digest']);
  const index = JSON.parse(blob(manifests[0]!.digest).toString()) as Index;
  assert.deepEqual(index.annotations, { a: '1' });
  const found = index.manifests.map(({ digest }) => JSON.parse(blob(digest).toString()) as Manifest);
  assert.deepEqual(
    found.map(({ annotations }) => annotations),
    [{ b: '2' }, undefined],
  );
  for (const { config, layers } of found) for (const { digest } of [config, ...layers]) blob(digest);
  const docker: BuildExport = { type: 'docker', attributes: {}, write };
  await assert.rejects(world.build({ Dockerfile: 'nonsense' }, { platform, exports: [docker] }), {
    message: 'docker exporter does not currently support exporting manifest lists',
  });
});

test('files in a folder for each platform', async () => {
  let entries = new Map<string, Buffer>();
  const folders: (string | undefined)[] = [];
  const write = async (archive: AsyncIterable<Uint8Array>) => {
    entries = await entriesOf(archive);
  };
  const exports: BuildExport[] = [
    { type: 'tar', attributes: {}, write },
    { type: 'local', attributes: {}, write: async ({ folder }) => void folders.push(folder) },
  ];
  await world.build(files, { platform, exports });
  assert.deepEqual(folders, ['linux_arm64', 'linux_amd64']);
  assert.equal(entries.get('linux_arm64/arch')?.toString(), 'arm64\n');
  assert.equal(entries.get('linux_amd64/arch')?.toString(), 'amd64\n');
  const merged: BuildExport = { type: 'tar', attributes: { 'platform-split': 'false' }, write };
  await assert.rejects(world.build(files, { platform, exports: [merged] }), {
    message: /^cannot overwrite \S+ from linux\/arm64 with linux\/amd64 when split option is disabled$/,
  });
  const one: BuildExport = { type: 'tar', attributes: { 'platform-split': 'true' }, write };
  await world.build(files, { platform: 'linux/arm64', exports: [one] });
  assert.equal(entries.get('linux_arm64/arch')?.toString(), 'arm64\n');
});

test('a failure for one platform ends the others', async () => {
  const failing = 'FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH\nRUN [ $TARGETARCH = amd64 ]';
  await assert.rejects(
    world.build({ Dockerfile: failing }, { platform }),
    /exit code: 1|returned a non-zero/,
  );
});

describe('attestations', () => {
  const tree = {
    Dockerfile: 'FROM busybox\nCOPY status /var/lib/dpkg/status\nRUN echo x > /x',
    status: 'Package: tool\nStatus: install ok installed\nVersion: 1.2\nArchitecture: all\n',
  };
  const parameters = {
    frontend: 'dockerfile.v0',
    args: new Map(),
    invocationId: 'one',
    locals: ['context'],
    dockerfile: 'Dockerfile',
  };
  const asked = (options: Record<string, string>) => ({
    ...readAttestations(new Map(Object.entries(options))),
    parameters,
    version: '0',
  });
  const both = asked({ 'attest:provenance': 'mode=max', 'attest:sbom': '' });

  test('an image of the store has them beside it, and those of its last build', async () => {
    const first = await world.build(tree, { attestations: both, tags: ['said'] });
    const { imageId, answer } = await world.build(tree, { attestations: both, tags: ['said'] });
    assert.equal(imageId, first.imageId, 'what is said of an image does not change it');
    assert.notEqual(answer['containerimage.digest'], first.answer['containerimage.digest']);
    const indexes = world.images.manifestsOf(imageId).filter(({ kind }) => kind === 'index');
    assert.deepEqual(
      indexes.map(({ digest }) => digest),
      [answer['containerimage.digest']],
    );
    const summaries = await manifestSummaries(world, world.images.get(imageId)!);
    assert.deepEqual(
      summaries.map(({ available, attests }) => [available, attests]),
      [
        [true, undefined],
        [true, summaries[0]!.descriptor.digest],
      ],
    );
    await world.images.remove('said', { force: false, noPrune: false, inUse: () => [] });
    assert.equal(world.storage.blobs.has(indexes[0]!.digest), false);
  });

  test('what nobody asked for by name goes out with a push, and stays nowhere else', async () => {
    const attestations = asked({ 'attest:provenance': 'mode=min,inline-only=true' });
    const { imageId } = await world.build(tree, { attestations, tags: ['plain'] });
    assert.deepEqual(world.images.manifestsOf(imageId), []);
    const push: BuildExport = { type: 'image', attributes: { name: 'plain', push: 'true' } };
    await world.build(tree, { attestations, exports: [push] });
    const kinds = world.images.manifestsOf(imageId).map(({ kind }) => kind);
    assert.deepEqual(kinds.sort(), ['attestation', 'blob', 'blob', 'index', 'manifest']);
  });

  test('archives: every digest holds, the subject is the image; with a time the same bytes', async () => {
    let entries = new Map<string, Buffer>();
    const write = async (archive: AsyncIterable<Uint8Array>) => {
      entries = await entriesOf(archive);
    };
    const buildArgs = { SOURCE_DATE_EPOCH: '1700000000' };
    const exports: BuildExport[] = [{ type: 'oci', attributes: { name: 'app:1' }, write }];
    const { answer } = await world.build(tree, { attestations: both, exports, buildArgs });
    const again = await world.build(tree, { attestations: both, exports, buildArgs });
    assert.equal(again.answer['containerimage.digest'], answer['containerimage.digest']);
    const read = <T>(digest: string): T => {
      const content = entries.get(`blobs/sha256/${digest.slice(7)}`)!;
      assert.equal(digestOf(content), digest);
      return JSON.parse(content.toString()) as T;
    };
    const [image, attestation] = read<Index>(answer['containerimage.digest']!).manifests;
    assert.deepEqual(attestation?.platform, { architecture: 'unknown', os: 'unknown' });
    assert.equal(attestation.annotations?.['vnd.docker.reference.digest'], image!.digest);
    const { layers, config } = read<Manifest>(attestation.digest);
    read(config.digest);
    const statements = layers.map(({ digest }) =>
      read<{ predicateType: string; subject: object[]; predicate: { packages?: { name: string }[] } }>(
        digest,
      ),
    );
    assert.deepEqual(
      statements.map(({ predicateType }) => predicateType),
      ['https://spdx.dev/Document', 'https://slsa.dev/provenance/v0.2'],
    );
    const subject = {
      name: 'pkg:docker/app@1?platform=linux%2Famd64',
      digest: { sha256: image!.digest.slice(7) },
    };
    for (const statement of statements) assert.deepEqual(statement.subject, [subject]);
    assert.deepEqual(
      statements[0]!.predicate.packages?.map(({ name }) => name),
      ['app:1', 'tool'],
    );
    const docker: BuildExport = { type: 'docker', attributes: {}, write };
    await assert.rejects(world.build(tree, { attestations: both, exports: [docker] }), {
      message: 'docker exporter does not currently support exporting manifest lists',
    });
  });

  test('files beside exported files, about each of them', async () => {
    let entries = new Map<string, Buffer>();
    const write = async (archive: AsyncIterable<Uint8Array>) => {
      entries = await entriesOf(archive);
    };
    const scratch = { Dockerfile: 'FROM scratch\nCOPY a /d/a', a: 'a' };
    const exports: BuildExport[] = [{ type: 'tar', attributes: { 'attestation-prefix': 'app.' }, write }];
    await world.build(scratch, { attestations: both, exports });
    assert.deepEqual([...entries.keys()].sort(), ['app.provenance.json', 'app.sbom.spdx.json', 'd/', 'd/a']);
    const { subject } = JSON.parse(entries.get('app.provenance.json')!.toString());
    assert.deepEqual(subject, [{ name: 'd/a', digest: { sha256: digestOf(Buffer.from('a')).slice(7) } }]);
  });
});

test('base images of several platforms: the name stays with the one that runs here', async () => {
  // What a registry would have under the name, for each platform that is asked for.
  world.pull = async (reference, { platform: wanted }) => {
    const config = { ...wanted, config: {}, created: '2024-01-01T00:00:00Z' };
    const { id } = await world.images.create(config, { layers: [] });
    world.images.tag(id, reference);
  };
  const { imageId } = await world.build(
    { Dockerfile: 'FROM far\nCOPY a /a', a: 'a' },
    { platform, tags: ['near'] },
  );
  assert.equal(world.images.resolve('far').config.architecture, 'amd64');
  const before = world.images.list().length;
  world.pulls.length = 0;
  await world.build({ Dockerfile: 'FROM far\nCOPY a /a', a: 'a' }, { platform, tags: ['near'] });
  assert.deepEqual(world.pulls, ['far'], 'what is here is not asked for');
  assert.equal(world.images.list().length, before, 'what was only built on is no image of the store');

  // What was built for several platforms can be built on, though nobody else has it.
  world.pulls.length = 0;
  const on = await world.build({ Dockerfile: 'FROM near\nCOPY a /b', a: 'a' }, { platform });
  assert.deepEqual(world.pulls, []);
  assert.notEqual(on.imageId, imageId);
  const [other] = world.images.manifestsOf(on.imageId).filter(({ kind }) => kind === 'other');
  const { layers } = JSON.parse((await world.storage.blobs.read(other!.digest)).toString()) as Manifest;
  assert.equal(layers.length, 2);
});
