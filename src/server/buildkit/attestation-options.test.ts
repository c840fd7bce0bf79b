import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readAttestations } from './attestation-options.ts';

describe('attestations that are asked for', () => {
  const read = (options: Record<string, string>) => readAttestations(new Map(Object.entries(options)));

  test('options and build arguments', () => {
    const asked = read({
      'attest:provenance': 'mode=min,inline-only=true,version=v1,builder-id=https://ci.example/1',
      'build-arg:BUILDKIT_ATTEST_SBOM': '',
      'build-arg:OTHER': 'x',
    });
    assert.deepEqual(asked, {
      provenance: {
        mode: 'min',
        version: 'v1',
        builderId: 'https://ci.example/1',
        reproducible: false,
        filename: 'provenance.json',
        inlineOnly: true,
      },
      sbom: { filename: 'sbom.spdx.json' },
    });
    assert.equal(read({ 'attest:provenance': '' }).provenance?.mode, 'max');
    assert.deepEqual(read({ 'attest:sbom': 'disabled=true' }), {});
  });

  for (const [options, message] of [
    [{ 'attest:provenance': 'mode=much' }, 'invalid mode "much"'],
    [{ 'attest:provenance': 'version=v9' }, 'invalid provenance SLSA version: v9'],
    [{ 'attest:provenance': 'reproducible=2' }, 'failed to parse reproducible flag "2"'],
    [{ 'attest:sbom': 'filename=../x' }, 'invalid attestation filename "../x"'],
    [{ 'attest:sbom': 'scan=all' }, 'sbom attestations with scan are not supported'],
  ] as const) {
    test(message, () => assert.throws(() => read(options), { message }));
  }
});
