import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planExport } from './attributes.ts';

const form = { type: 'gzip', level: undefined, force: false };

test('what exporters are asked for', () => {
  assert.deepEqual(planExport('moby', { name: 'a,b:2', push: '', load: 'true' }), {
    type: 'image',
    names: ['a', 'b:2'],
    push: true,
    ociTypes: undefined,
    annotations: [],
    rewriteTimes: undefined,
    epochMs: undefined,
  });
  assert.deepEqual(planExport('local', { 'source-date-epoch': '3' }), {
    type: 'local',
    split: undefined,
    attestationPrefix: '',
    epochMs: 3000,
  });
  assert.deepEqual(
    planExport('oci', {
      'annotation.a': '1',
      'annotation-manifest[linux/amd64].b.c': '2',
      'annotation-manifest-descriptor.d': '3',
      'compression-level': '3',
      compression: 'zstd',
      'rewrite-timestamp': '1',
    }),
    {
      type: 'oci',
      names: [],
      compression: { type: 'zstd', level: 3, force: false },
      ociTypes: true,
      annotations: [
        { of: 'manifest', key: 'a', value: '1' },
        { of: 'manifest', platform: 'linux/amd64', key: 'b.c', value: '2' },
        { of: 'manifest-descriptor', key: 'd', value: '3' },
      ],
      rewriteTimes: true,
      epochMs: undefined,
    },
  );
  const docker = planExport('docker', { tar: 'true' });
  assert.deepEqual('compression' in docker && [docker.compression, docker.ociTypes], [form, false]);
});

const refused: [type: string, attributes: Record<string, string>, message: string][] = [
  ['image', { 'push-by-digest': 'true' }, 'push-by-digest is not supported by the image exporter'],
  ['image', { compression: 'zstd' }, 'compression is not supported by the image exporter'],
  ['image', { store: 'false' }, 'store=false is not supported by the image exporter'],
  ['image', { push: 'maybe' }, 'non-bool value specified for push'],
  ['oci', { compression: 'estargz' }, 'compression=estargz is not supported by the oci exporter'],
  ['oci', { 'compression-level': 'x' }, 'non-integer value x specified for compression-level'],
  ['oci', { tar: 'false' }, 'tar=false is not supported by the oci exporter'],
  ['docker', { 'annotation-layer.a': 'b' }, 'annotation-layer.a is not supported by the docker exporter'],
  ['local', { 'platform-split': 'no' }, 'non-bool value specified for platform-split'],
  ['local', { 'source-date-epoch': 'x' }, 'invalid SOURCE_DATE_EPOCH: x'],
  ['tar', { name: 'a' }, 'name is not supported by the tar exporter'],
  ['cacheonly', {}, 'exporter "cacheonly" is not supported'],
];
for (const [type, attributes, message] of refused) {
  test(message, () => assert.throws(() => planExport(type, attributes), { message }));
}
