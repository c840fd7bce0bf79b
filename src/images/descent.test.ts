import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image.ts';
import { isBuiltOn } from './descent.ts';

function image(layers: string[], steps: string[]): ImageConfig {
  return {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(id => `sha256:${id}` as Digest) },
    history: steps.map(step => ({ created: '2026-01-01T00:00:00Z', created_by: step })),
  };
}

test('an image is built on what its layers and its history begin with', () => {
  const base = image(['a'], ['ADD']);
  assert.equal(isBuiltOn(image(['a', 'b'], ['ADD', 'RUN']), base), true);
  assert.equal(isBuiltOn(image(['a'], ['ADD', 'LABEL']), base), true, 'a step without a layer');
  assert.equal(isBuiltOn(base, image(['a'], ['ADD', 'LABEL'])), false);
  assert.equal(isBuiltOn(image(['b', 'a'], ['ADD', 'RUN']), base), false);
  assert.equal(
    isBuiltOn(image(['a', 'b'], ['COPY', 'RUN']), base),
    false,
    'the same layer of another origin',
  );
  assert.equal(isBuiltOn(base, image([], [])), false, 'nothing is the base of everything');
});
