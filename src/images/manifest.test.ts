import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaTypes } from '../oci/media-types.ts';
import { compressionOf, parseManifest } from './manifest.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const blob = { mediaType: mediaTypes.ociConfig, digest, size: 2 };
const manifest = {
  schemaVersion: 2,
  config: blob,
  layers: [{ ...blob, mediaType: mediaTypes.ociLayerGzip }],
};

function parse(value: unknown, mediaType = '') {
  return parseManifest(Buffer.from(JSON.stringify(value)), mediaType);
}

test('manifests and indexes, announced or telling themselves', () => {
  assert.equal(parse(manifest, mediaTypes.dockerManifest).kind, 'manifest');
  assert.equal(parse(manifest).mediaType, mediaTypes.ociManifest);
  assert.equal(parse({ schemaVersion: 2, manifests: [blob] }).kind, 'index');
  assert.equal(parse({ schemaVersion: 2, mediaType: mediaTypes.dockerIndex, manifests: [] }).kind, 'index');
});

test('schema 1 is refused by its name', () => {
  assert.throws(() => parse({ schemaVersion: 1, fsLayers: [] }), {
    kind: 'notImplemented',
    message: /schema 1 are not supported/,
  });
});

test('nonsense is refused', () => {
  const bad: unknown[] = [
    null,
    [],
    {},
    { ...manifest, config: undefined },
    { ...manifest, layers: 'x' },
    { ...manifest, layers: [{ ...blob, digest: 'sha256:12' }] },
    { ...manifest, layers: [{ ...blob, digest: `sha256:${'../'.repeat(21)}x` }] },
    { ...manifest, layers: [{ ...blob, size: -1 }] },
    { ...manifest, layers: [{ ...blob, size: 1e300 }] },
    { ...manifest, layers: Array.from({ length: 501 }, () => blob) },
  ];
  for (const value of bad) {
    assert.throws(() => parse(value), { kind: 'invalid' }, JSON.stringify(value)?.slice(0, 80));
  }
  assert.throws(() => parseManifest(Buffer.from('{'), mediaTypes.ociManifest), { kind: 'invalid' });
  // Index to one reader, manifest to the next: CVE-2021-41190.
  assert.throws(() => parse({ ...manifest, manifests: [] }, mediaTypes.ociManifest), { kind: 'invalid' });
});

test('layers of file systems only', () => {
  assert.equal(compressionOf(mediaTypes.ociLayerZstd), 'zstd');
  assert.throws(() => compressionOf('application/vnd.in-toto+json'), { kind: 'notImplemented' });
});
