import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pullImage } from '../../src/images/pull.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import {
  closeImages,
  never,
  openImages,
  recorder,
  sha256,
  tarOf,
  temporaryDirectory,
} from '../support/images.ts';

type Lie = (request: IncomingMessage, response: ServerResponse, content: Buffer) => boolean;

/** A registry of one image that tells the truth, but where the test has it lie. */
async function startRegistry(
  context: TestContext,
  options: {
    layers?: Buffer[];
    lie?: Lie;
    config?: object;
    index?: boolean;
    mediaType?: string;
    /** By how much descriptors are wrong. */
    wrongBy?: { config?: number; manifest?: number };
  } = {},
) {
  const tars = options.layers ?? [await tarOf({ big: randomBytes(2_000_000) })];
  const mediaType = options.mediaType ?? mediaTypes.ociLayerGzip;
  const packed = tars.map(tar =>
    mediaType === mediaTypes.ociLayerZstd
      ? zstdCompressSync(tar)
      : mediaType === mediaTypes.ociLayer
        ? tar
        : gzipSync(tar, { level: 1 }),
  );
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
      ...options.config,
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {
        mediaType: mediaTypes.ociConfig,
        digest: sha256(config),
        size: config.length + (options.wrongBy?.config ?? 0),
      },
      layers: packed.map(layer => ({ mediaType, digest: sha256(layer), size: layer.length })),
    }),
  );
  const entry = {
    mediaType: mediaTypes.ociManifest,
    digest: sha256(manifest),
    size: manifest.length + (options.wrongBy?.manifest ?? 0),
  };
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        { ...entry, digest: sha256('other'), platform: { os: 'linux', architecture: 's390x' } },
        { ...entry, platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' } },
      ],
    }),
  );
  const contents = new Map(
    [config, manifest, index, ...packed].map(bytes => [sha256(bytes) as string, bytes]),
  );
  const requests: { method: string; url: string; range: string | undefined }[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    requests.push({ method, url, range: request.headers.range });
    const top = options.index === true ? index : manifest;
    const name = url.split('/').at(-1)!;
    const content = url.includes('/manifests/') && !name.startsWith('sha256:') ? top : contents.get(name);
    if (content !== undefined && options.lie?.(request, response, content) === true) return;
    if (url === '/v2/') return void response.end();
    if (content === undefined) {
      response.statusCode = 404;
      return void response.end('{"errors":[{"code":"BLOB_UNKNOWN"}]}');
    }
    if (url.includes('/manifests/')) {
      response.setHeader('content-type', content === index ? mediaTypes.ociIndex : mediaTypes.ociManifest);
      response.setHeader('docker-content-digest', sha256(content));
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (start > 0) {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`);
    }
    response.setHeader('content-length', content.length - start);
    response.end(method === 'HEAD' ? undefined : content.subarray(start));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const layerRequests = () =>
    requests
      .filter(request => packed.some(layer => request.url.endsWith(sha256(layer))))
      .map(({ range }) => range);
  return { host, name: `${host}/me/app:1`, requests, layerRequests, packed, tars, config, manifest, index };
}

function isLayer(request: IncomingMessage, content: Buffer): boolean {
  return request.url!.includes('/blobs/') && content.length > 1_000_000;
}

/** Sends the first part of what was asked for and hangs up. */
function cut(response: ServerResponse, content: Buffer, start: number): void {
  const rest = content.length - start;
  response.setHeader('content-length', rest);
  if (start > 0) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`);
  }
  response.write(content.subarray(start, start + (rest >> 1)), () =>
    setTimeout(() => response.destroy(), 20),
  );
}

test('gzip, zstd and plain layers, also out of an index', async context => {
  const types = [mediaTypes.ociLayerGzip, mediaTypes.ociLayerZstd, mediaTypes.ociLayer];
  // As dockerd does it on Linux: the registry is asked for foreign layers like for any other.
  for (const mediaType of [...types, mediaTypes.dockerForeignLayerGzip]) {
    const registry = await startRegistry(context, { mediaType, index: true });
    const services = await openImages(context);
    const [image] = await pullImage(services, registry.name, {}, () => {}, never);
    assert.equal(image!.id, sha256(registry.config), mediaType);
    assert.deepEqual(image!.digests, [`${registry.host}/me/app@${sha256(registry.index)}`]);
    // Both are kept, so that the same bytes can be pushed again.
    assert.deepEqual(await services.storage.blobs.read(sha256(registry.manifest)), registry.manifest);
    assert.deepEqual(await services.storage.blobs.read(sha256(registry.index)), registry.index);
  }
});

test('a layer that is not what its digest says is not used', async context => {
  const registry = await startRegistry(context, {
    lie: (request, response, content) => {
      if (!isLayer(request, content)) return false;
      const wrong = Buffer.from(content);
      wrong[wrong.length >> 1]! ^= 1;
      response.end(wrong);
      return true;
    },
  });
  const services = await openImages(context);
  await assert.rejects(
    pullImage(services, registry.name, {}, () => {}, never),
    {
      kind: 'corrupt',
      message: `filesystem layer verification failed for digest ${sha256(registry.packed[0]!)}`,
    },
  );
  assert.deepEqual(services.images.list(), []);
  assert.equal(services.storage.blobs.has(sha256(registry.packed[0]!)), false);
});

test('a configuration and a layer that do not belong together are refused', async context => {
  const other = { rootfs: { type: 'layers', diff_ids: [sha256('something else')] } };
  const registry = await startRegistry(context, { config: other });
  const services = await openImages(context);
  await assert.rejects(
    pullImage(services, registry.name, {}, () => {}, never),
    { kind: 'corrupt' },
  );
  assert.deepEqual(services.images.list(), []);
  const none = await startRegistry(context, { config: { rootfs: { type: 'layers', diff_ids: [] } } });
  await assert.rejects(
    pullImage(services, none.name, {}, () => {}, never),
    {
      message: "layers from manifest don't match image configuration",
    },
  );
});

test('a cut download goes on where it was', async context => {
  let cuts = 2;
  const registry = await startRegistry(context, {
    lie: (request, response, content) => {
      if (!isLayer(request, content) || cuts-- <= 0) return false;
      const start = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      cut(response, content, start);
      return true;
    },
  });
  const services = await openImages(context);
  const { progress, lines } = recorder();
  const [image] = await pullImage(services, registry.name, {}, progress, never);
  assert.equal(image!.id, sha256(registry.config));
  const ranges = registry.layerRequests();
  assert.equal(ranges.length, 3);
  assert.equal(ranges[0], undefined);
  const starts = ranges.slice(1).map(range => Number(/\d+/.exec(range!)![0]));
  assert.ok(starts[0]! > 0 && starts[1]! > starts[0]!, String(ranges));
  assert.ok(lines().some(line => line.endsWith('Retrying in 1 second')));
});

test('a registry that knows no ranges is read from the beginning', async context => {
  let cuts = 1;
  const registry = await startRegistry(context, {
    lie: (request, response, content) => {
      if (!isLayer(request, content)) return false;
      if (cuts-- > 0) cut(response, content, 0);
      else response.end(content);
      return true;
    },
  });
  const services = await openImages(context);
  const [image] = await pullImage(services, registry.name, {}, () => {}, never);
  assert.equal(image!.id, sha256(registry.config));
});

test('errors of the server are tried again; after five without a byte the pull fails', async context => {
  let errors = 2;
  const lie: Lie = (request, response, content) => {
    if (!isLayer(request, content) || errors-- <= 0) return false;
    response.statusCode = 503;
    response.end();
    return true;
  };
  const registry = await startRegistry(context, { lie });
  const services = await openImages(context);
  await pullImage(services, registry.name, {}, () => {}, never);
  errors = Number.POSITIVE_INFINITY;
  const down = await startRegistry(context, { lie });
  await assert.rejects(
    pullImage(services, down.name, {}, () => {}, never),
    {
      kind: 'unavailable',
      message: 'received unexpected HTTP status: 503 Service Unavailable',
    },
  );
  assert.equal(down.layerRequests().length, 5);
});

test('pulls that want the same layer at once fetch it once', async context => {
  const registry = await startRegistry(context);
  const services = await openImages(context);
  const names = ['a', 'b', 'c'].map(name => `${registry.host}/me/${name}:1`);
  const images = await Promise.all(names.map(name => pullImage(services, name, {}, () => {}, never)));
  assert.deepEqual(new Set(images.map(([image]) => image!.id)).size, 1);
  assert.equal(registry.layerRequests().length, 1);
  assert.deepEqual(services.images.get(images[0]![0]!.id)!.references, names);
});

test('what had arrived when a pull was cancelled is not fetched again, also after a restart', async context => {
  const layers = [await tarOf({ one: randomBytes(1_500_000) }), await tarOf({ two: randomBytes(1_500_000) })];
  let stuck: string | undefined = sha256(gzipSync(layers[1]!, { level: 1 }));
  const controller = new AbortController();
  const registry = await startRegistry(context, {
    layers,
    lie: (_request, response, content) => {
      if (stuck === undefined || sha256(content) !== stuck) return false;
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, 500_000));
      return true;
    },
  });
  const dataRoot = await temporaryDirectory(context);
  const first = await openImages(context, { dataRoot });
  const { progress, events } = recorder();
  const watched: typeof progress = event => {
    progress(event);
    const second = events.some(
      ({ status, currentBytes = 0 }) => status === 'Downloading' && currentBytes >= 400_000,
    );
    if (events.some(({ status }) => status === 'Pull complete') && second) controller.abort();
  };
  await assert.rejects(pullImage(first, registry.name, {}, watched, controller.signal), {
    kind: 'cancelled',
  });
  await closeImages(first);
  stuck = undefined;
  const before = registry.layerRequests().length;
  const second = await openImages(context, { dataRoot });
  const again = recorder();
  await pullImage(second, registry.name, {}, again.progress, never);
  assert.ok(again.lines().includes(`${sha256(registry.packed[0]!).slice(7, 19)}: Already exists`));
  const ranges = registry.layerRequests().slice(before);
  assert.equal(ranges.length, 1);
  assert.match(ranges[0]!, /^bytes=[1-9]\d*-$/);
});

test('mirrors of Docker Hub are asked first, without credentials, and skipped when they fail', async context => {
  const seen: (string | undefined)[] = [];
  const mirror = await startRegistry(context, {
    lie: request => {
      seen.push(request.headers.authorization);
      return false;
    },
  });
  const services = await openImages(context, { mirrors: ['http://127.0.0.1:1', `http://${mirror.host}`] });
  const credentials = { username: 'user', password: 'secret' };
  const { progress, lines } = recorder();
  const [image] = await pullImage(services, 'me/app:1', { credentials }, progress, never);
  assert.deepEqual(image!.references, ['me/app:1']);
  assert.equal(lines().at(-1), 'Status: Downloaded newer image for me/app:1');
  assert.ok(seen.length > 0 && seen.every(value => value === undefined));
});

test('a platform that is not there, and one that is not what was asked for', async context => {
  const services = await openImages(context);
  const several = await startRegistry(context, { index: true });
  await assert.rejects(
    pullImage(services, several.name, { platform: 'linux/riscv64' }, () => {}, never),
    {
      kind: 'notFound',
      message: 'no matching manifest for linux/riscv64 in the manifest list entries',
    },
  );
  const single = await startRegistry(context);
  const { progress, lines } = recorder();
  await pullImage(services, single.name, { platform: 'linux/s390x' }, progress, never);
  assert.ok(lines().some(line => line.includes('wanted linux/s390x, actual: linux/amd64')));
});

test('schema 1 and things that are no images are refused by name', async context => {
  const services = await openImages(context);
  const old = await startRegistry(context, {
    lie: (request, response) => {
      if (!request.url!.includes('/manifests/')) return false;
      response.setHeader('content-type', 'application/vnd.docker.distribution.manifest.v1+prettyjws');
      response.end(request.method === 'HEAD' ? undefined : '{"schemaVersion":1,"fsLayers":[]}');
      return true;
    },
  });
  await assert.rejects(
    pullImage(services, old.name, {}, () => {}, never),
    {
      kind: 'notImplemented',
      message: /schema 1 are not supported/,
    },
  );
});

test('descriptors that tell a wrong size are not believed', async context => {
  const services = await openImages(context);
  for (const wrong of [-1, 1]) {
    const config = await startRegistry(context, { wrongBy: { config: wrong } });
    await assert.rejects(
      pullImage(services, config.name, {}, () => {}, never),
      { kind: 'corrupt', message: /^image config verification failed for digest/ },
    );
    const manifest = await startRegistry(context, { index: true, wrongBy: { manifest: wrong } });
    await assert.rejects(
      pullImage(services, manifest.name, {}, () => {}, never),
      { kind: 'corrupt', message: /bytes where the index says/ },
    );
  }
  const unknown = await startRegistry(context, { mediaType: 'application/vnd.example.layer' });
  await assert.rejects(
    pullImage(services, unknown.name, {}, () => {}, never),
    { kind: 'notImplemented', message: /layer of type "application\/vnd.example.layer"/ },
  );
  assert.deepEqual(services.images.list(), []);
});
