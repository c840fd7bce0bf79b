import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { parseReference } from '../../src/distribution/reference.ts';
import { inspectInRegistry } from '../../src/images/inspect-in-registry.ts';
import { loadImages } from '../../src/images/load.ts';
import { imageForPlatform } from '../../src/images/other-platforms.ts';
import { hostPlatform, platformText } from '../../src/images/platform.ts';
import { pullImage } from '../../src/images/pull.ts';
import { pushImage } from '../../src/images/push.ts';
import { saveImages } from '../../src/images/save.ts';
import type { ImageServices } from '../../src/images/services.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Descriptor, Platform } from '../../src/oci/image.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import {
  imageOf,
  never,
  openImages,
  recorder,
  sha256,
  tarOf,
  temporaryDirectory,
} from '../support/images.ts';

/** Debian's docker-registry on a free port of loopback. */
async function startRegistry(context: TestContext, options: { auth?: boolean } = {}): Promise<string> {
  const directory = await temporaryDirectory(context);
  const port = await freePort();
  // user:secret, bcrypt with the least cost.
  const hash = 'user:$2b$05$yv623MBjHsnnYvJAOEckCOwsXgxQrCewRHyAD3D57VyC/x7ueZGuy\n';
  await writeFile(join(directory, 'htpasswd'), hash);
  const auth = `auth: {htpasswd: {realm: test, path: ${join(directory, 'htpasswd')}}}\n`;
  await writeFile(
    join(directory, 'config.yml'),
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${join(directory, 'data')}}}
http: {addr: '127.0.0.1:${port}'}
${options.auth === true ? auth : ''}`,
  );
  const child = spawn('/usr/bin/docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: 'ignore',
  });
  context.after(async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${port}/v2/`;
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return `127.0.0.1:${port}`;
    await sleep(10);
  }
  throw new Error('docker-registry did not start');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const removal = { force: true, noPrune: false, inUse: () => [] };
const short = (digest: string) => digest.slice(7, 19);

test('there and back: push, remove, pull, in docker’s words and with the same id', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const name = `${host}/me/app:1.0`;
  const made = await imageOf(services, name, { one: randomBytes(100_000), two: 'two' });
  const [diffId] = made.config.rootfs.diff_ids;

  const pushed = recorder();
  await pushImage(services, name, {}, pushed.progress, never);
  const aux = pushed.events.at(-1)!.aux as { Tag: string; Digest: string; Size: number };
  assert.deepEqual(pushed.lines(), [
    `The push refers to repository [${host}/me/app]`,
    `${short(diffId!)}: Preparing`,
    `${short(diffId!)}: Pushing`,
    `${short(diffId!)}: Pushed`,
    `1.0: digest: ${aux.Digest} size: ${aux.Size}`,
  ]);
  assert.equal(aux.Tag, '1.0');
  assert.deepEqual(services.images.get(made.id)!.digests, [`${host}/me/app@${aux.Digest}`]);
  const blob = services.storage.layers.get(made.chainId!)!.blob!;

  const removed = await services.images.remove(name, removal);
  assert.deepEqual(
    removed.map(result => ('untagged' in result ? `-${result.untagged}` : result.deleted)),
    [`-${name}`, `-${host}/me/app@${aux.Digest}`, made.id, made.chainId],
  );
  assert.equal(services.storage.layers.get(made.chainId!), undefined);

  const pulled = recorder();
  const [image] = await pullImage(services, name, {}, pulled.progress, never);
  const id = short(blob.digest);
  assert.deepEqual(pulled.lines(), [
    '1.0: Pulling from me/app',
    `${id}: Pulling fs layer`,
    `${id}: Downloading`,
    `${id}: Verifying Checksum`,
    `${id}: Download complete`,
    `${id}: Extracting`,
    `${id}: Pull complete`,
    `Digest: ${aux.Digest}`,
    `Status: Downloaded newer image for ${name}`,
  ]);
  assert.equal(image!.id, made.id);
  assert.deepEqual(image!.references, [name]);

  const again = recorder();
  await pullImage(services, name, {}, again.progress, never);
  assert.deepEqual(again.lines(), [
    '1.0: Pulling from me/app',
    `Digest: ${aux.Digest}`,
    `Status: Image is up to date for ${name}`,
  ]);

  const byDigest = recorder();
  const [same] = await pullImage(services, `${host}/me/app@${aux.Digest}`, {}, byDigest.progress, never);
  assert.equal(same!.id, made.id);
  assert.equal(byDigest.lines()[0], `${host}/me/app@${aux.Digest}: Pulling from me/app`);
});

test('a layer the registry has is not sent again: it exists, or is mounted from its other repository', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const made = await imageOf(services, `${host}/me/app:1`);
  const id = short(made.config.rootfs.diff_ids[0]!);
  services.images.tag(made.id, `${host}/me/app:2`);
  services.images.tag(made.id, `${host}/you/other:1`);
  const push = async (name: string) => {
    const { progress, lines } = recorder();
    await pushImage(services, name, {}, progress, never);
    return lines();
  };
  assert.ok((await push(`${host}/me/app:1`)).includes(`${id}: Pushed`));
  assert.ok((await push(`${host}/me/app:2`)).includes(`${id}: Layer already exists`));
  assert.ok((await push(`${host}/you/other:1`)).includes(`${id}: Mounted from me/app`));
  // Bytes for bytes the same manifest: the digest is one for all three.
  const digests = services.images.get(made.id)!.digests.map(digest => digest.split('@')[1]);
  assert.equal(new Set(digests).size, 1);
});

test('all tags, there and back', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const ids = [];
  for (const tag of ['a', 'b']) ids.push((await imageOf(services, `${host}/app:${tag}`)).id);
  await pushImage(services, `${host}/app`, { allTags: true }, () => {}, never);
  const other = await openImages(context);
  const { progress, lines } = recorder();
  const pulled = await pullImage(other, `${host}/app`, { allTags: true }, progress, never);
  assert.deepEqual(pulled.map(image => image.id).sort(), ids.sort());
  assert.equal(lines().at(-1), `Status: Downloaded newer image for ${host}/app`);
});

test('credentials: none, wrong and right', async context => {
  const host = await startRegistry(context, { auth: true });
  const services = await openImages(context);
  const name = `${host}/me/app:1`;
  const made = await imageOf(services, name);
  const right = { username: 'user', password: 'secret' };
  const wrong = { username: 'user', password: 'wrong' };
  const push = (credentials?: object) => pushImage(services, name, { credentials }, () => {}, never);
  await assert.rejects(push(), { kind: 'unauthorized', message: 'no basic auth credentials' });
  await assert.rejects(push(wrong), {
    kind: 'unauthorized',
    message: 'unauthorized: authentication required',
  });
  await push(right);
  await services.images.remove(name, removal);
  const pull = (credentials?: object) => pullImage(services, name, { credentials }, () => {}, never);
  await assert.rejects(pull(), {
    kind: 'unauthorized',
    message: `Head "http://${host}/v2/me/app/manifests/1": no basic auth credentials`,
  });
  await assert.rejects(pull(wrong), {
    kind: 'unauthorized',
    message: 'unauthorized: authentication required',
  });
  assert.equal((await pull(right))[0]!.id, made.id);
  const serverAddress = host;
  assert.equal((await services.registries.login({ ...right, serverAddress })).status, 'Login Succeeded');
  await assert.rejects(services.registries.login({ ...wrong, serverAddress }), { kind: 'unauthorized' });
});

test('what is not there, in docker’s words', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  await imageOf(services, `${host}/me/app:1`);
  await pushImage(services, `${host}/me/app:1`, {}, () => {}, never);
  const nothing = `sha256:${'1'.repeat(64)}`;
  const pulls: [string, boolean, string][] = [
    [
      `${host}/me/app:9`,
      false,
      `manifest for ${host}/me/app:9 not found: manifest unknown: manifest unknown`,
    ],
    [
      `${host}/me/app@${nothing}`,
      false,
      `manifest for ${host}/me/app@${nothing} not found: manifest unknown: manifest unknown`,
    ],
    [
      `${host}/me/no`,
      true,
      `repository ${host}/me/no not found: name unknown: repository name not known to registry`,
    ],
  ];
  for (const [name, allTags, message] of pulls) {
    await assert.rejects(
      pullImage(services, name, { allTags }, () => {}, never),
      { kind: 'notFound', message },
    );
  }
  await assert.rejects(
    pushImage(services, `${host}/me/app:9`, {}, () => {}, never),
    {
      kind: 'notFound',
      message: `tag does not exist: ${host}/me/app:9`,
    },
  );
  await assert.rejects(
    pushImage(services, `${host}/me/no`, {}, () => {}, never),
    {
      message: `An image does not exist locally with the tag: ${host}/me/no`,
    },
  );
});

/** An image as BuildKit pushes it: an index of one manifest for each platform, and of what is attested of each. */
async function pushIndex(services: ImageServices, name: string, platforms: Platform[]): Promise<Digest> {
  const reference = parseReference(name);
  const [repository] = services.registries.repositories(reference, 'push', undefined);
  const put = async (bytes: Buffer, mediaType: string): Promise<Descriptor> => {
    const upload = await repository!.startUpload(never);
    const content = { body: bytes, sizeBytes: bytes.length };
    await repository!.finishUpload(upload, sha256(bytes), content, never);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const putManifest = async (value: object, mediaType: string, as?: string): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...value }, null, 2));
    await repository!.putManifest(as ?? sha256(bytes), mediaType, bytes, never);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const tar = await tarOf({ file: randomBytes(1000) });
  const manifests: Descriptor[] = [];
  for (const platform of platforms) {
    const config = { ...platform, rootfs: { type: 'layers', diff_ids: [sha256(tar)] } };
    const manifest = await putManifest(
      {
        config: await put(Buffer.from(JSON.stringify(config)), mediaTypes.ociConfig),
        layers: [await put(gzipSync(tar), mediaTypes.ociLayerGzip)],
      },
      mediaTypes.ociManifest,
    );
    const statement = Buffer.from(JSON.stringify({ subject: manifest.digest }));
    const attestation = await putManifest(
      {
        config: await put(Buffer.from(`{"of":"${manifest.digest}"}`), mediaTypes.ociConfig),
        layers: [await put(statement, 'application/vnd.in-toto+json')],
      },
      mediaTypes.ociManifest,
    );
    manifests.push({ ...manifest, platform });
    manifests.push({
      ...attestation,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': manifest.digest,
      },
    });
  }
  return (await putManifest({ manifests }, mediaTypes.ociIndex, reference.tag)).digest;
}

async function digestThere(services: ImageServices, name: string): Promise<string | undefined> {
  const reference = parseReference(name);
  const [repository] = services.registries.repositories(reference, 'pull', undefined);
  return repository!.manifestDigest(reference.tag!, never);
}

test('an index with attestations is the same one after pull, push, save and load', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const digest = await pushIndex(services, `${host}/me/app:1`, [hostPlatform()]);
  const [image] = await pullImage(services, `${host}/me/app:1`, {}, () => {}, never);
  services.images.tag(image!.id, `${host}/other/app:1`);
  await pushImage(services, `${host}/other/app:1`, {}, () => {}, never);
  assert.equal(await digestThere(services, `${host}/other/app:1`), digest);

  const elsewhere = await openImages(context);
  const tar = await saveImages(services, [`${host}/other/app:1`]);
  await loadImages(elsewhere, tar, { quiet: true }, () => {}, never);
  elsewhere.images.tag(image!.id, `${host}/third/app:1`);
  await pushImage(elsewhere, `${host}/third/app:1`, {}, () => {}, never);
  assert.equal(await digestThere(elsewhere, `${host}/third/app:1`), digest);

  await elsewhere.images.remove(image!.id, removal);
  assert.deepEqual(elsewhere.storage.blobs.list(), []);
});

test('an index whose other platforms are not here: whole where the registry has them, else the manifest', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const name = `${host}/me/app:1`;
  const platforms = [hostPlatform(), { os: 'linux', architecture: 's390x' }];
  const digest = await pushIndex(services, name, platforms);
  assert.deepEqual((await inspectInRegistry(services, name, undefined, never)).descriptor, {
    mediaType: mediaTypes.ociIndex,
    digest,
    size: (
      await services.registries.repositories(parseReference(name), 'pull', undefined)[0]!.manifest('1', never)
    ).bytes.length,
  });
  const [image] = await pullImage(services, name, {}, () => {}, never);
  services.images.tag(image!.id, `${host}/me/app:2`);
  await pushImage(services, `${host}/me/app:2`, {}, () => {}, never);
  assert.equal(await digestThere(services, `${host}/me/app:2`), digest);

  services.images.tag(image!.id, `${host}/other/app:1`);
  const { progress, events } = recorder();
  await pushImage(services, `${host}/other/app:1`, {}, progress, never);
  const [manifest] = services.images.manifestsOf(image!.id).filter(({ kind }) => kind === 'manifest');
  assert.equal(await digestThere(services, `${host}/other/app:1`), manifest!.digest);
  const said = events.map(({ aux }) => aux as { originalIndex?: Descriptor } | undefined);
  assert.equal(said.find(aux => aux?.originalIndex)?.originalIndex?.digest, digest);

  services.images.tag(image!.id, `${host}/me/app:3`);
  const platform = platformText(hostPlatform());
  await pushImage(services, `${host}/me/app:3`, { platform }, () => {}, never);
  assert.equal(await digestThere(services, `${host}/me/app:3`), manifest!.digest);
  await assert.rejects(
    pushImage(services, `${host}/me/app:3`, { platform: 'linux/s390x' }, () => {}, never),
    { kind: 'notFound', message: /does not provide the specified platform \(linux\/s390x\)$/ },
  );
});

test('another platform of an index that is here: pushed, saved and looked at alone', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const name = `${host}/me/app:1`;
  const image = await imageOf(services, name);
  const { blobs } = services.storage;
  const put = async (bytes: Buffer, mediaType: string): Promise<Descriptor> => {
    await blobs.write(bytes, 'test');
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const json = (value: object) => Buffer.from(JSON.stringify({ schemaVersion: 2, ...value }));
  const tar = await tarOf({ file: 'of another machine' });
  const platform = { os: 'linux', architecture: 's390x' };
  const rootfs = { type: 'layers', diff_ids: [sha256(tar)] };
  const config = await put(
    json({ ...platform, rootfs, history: [{ created_by: 'there' }] }),
    mediaTypes.ociConfig,
  );
  const layers = [await put(gzipSync(tar), mediaTypes.ociLayerGzip)];
  const other = await put(
    json({ mediaType: mediaTypes.ociManifest, config, layers }),
    mediaTypes.ociManifest,
  );
  const manifests = [{ ...other, platform }];
  const index = await put(json({ mediaType: mediaTypes.ociIndex, manifests }), mediaTypes.ociIndex);
  const kinds = { index: [index], other: [other], blob: [config, ...layers] } as const;
  const rows = Object.entries(kinds).flatMap(([kind, listed]) =>
    listed.map(({ digest, mediaType }) => ({ digest, mediaType, kind: kind as keyof typeof kinds })),
  );
  services.images.add(services.images.configBytes(image.id), { manifests: rows });

  const found = await imageForPlatform(services, image, 'linux/s390x', name);
  assert.deepEqual([found.id, services.images.history(found)[0]?.createdBy], [config.digest, 'there']);
  assert.equal(await imageForPlatform(services, image, platformText(hostPlatform()), name), image);
  const missing = { kind: 'notFound', message: /does not provide the specified platform \(linux\/mips\)$/ };
  await assert.rejects(imageForPlatform(services, image, 'linux/mips', name), missing);

  await pushImage(services, name, { platform: 'linux/s390x' }, () => {}, never);
  assert.equal(await digestThere(services, name), other.digest);
  const elsewhere = await openImages(context);
  const saved = await saveImages(services, [name], 'linux/s390x');
  await loadImages(elsewhere, saved, { quiet: true }, () => {}, never);
  assert.equal(elsewhere.images.resolve(name).id, config.digest);
});

test('what was pushed, removed and made again is not packed and sent again', async context => {
  const host = await startRegistry(context);
  const services = await openImages(context);
  const files = { big: randomBytes(100_000) };
  const first = await imageOf(services, `${host}/me/app:1`, files);
  await pushImage(services, `${host}/me/app:1`, {}, () => {}, never);
  await services.images.remove(first.id, removal);
  const again = await imageOf(services, `${host}/me/app:2`, files);
  const { progress, lines } = recorder();
  await pushImage(services, `${host}/me/app:2`, {}, progress, never);
  assert.ok(lines().includes(`${short(again.config.rootfs.diff_ids[0]!)}: Layer already exists`));
  await services.images.remove(again.id, removal);
  const [pulled] = await pullImage(services, `${host}/me/app:2`, {}, () => {}, never);
  assert.equal(pulled!.id, again.id);
});

test('an upload that is cut while the layer is packed is made up for', async context => {
  const host = await startRegistry(context);
  let cuts = 0;
  const proxy = createHttpServer((request, response) => {
    if (request.method === 'PATCH') {
      cuts++;
      request.once('data', () => request.socket.destroy());
      return;
    }
    const [hostname, port] = host.split(':');
    const onwards = httpRequest({
      hostname,
      port,
      path: request.url,
      method: request.method,
      headers: request.headers,
    });
    onwards.on('response', answer => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onwards);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  context.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const services = await openImages(context);
  const name = `127.0.0.1:${(proxy.address() as AddressInfo).port}/me/app:1`;
  await imageOf(services, name, { big: randomBytes(3_000_000) });
  const { progress, events } = recorder();
  await pushImage(services, name, {}, progress, never);
  assert.equal(cuts, 1);
  const { Digest: digest } = events.at(-1)!.aux as { Digest: string };
  assert.equal(await digestThere(services, `${host}/me/app:1`), digest);
});
