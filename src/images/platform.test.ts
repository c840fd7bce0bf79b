import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index, Platform } from '../oci/image.ts';
import { chooseManifest, matchesPlatform, parsePlatform, platformText } from './platform.ts';

function indexOf(...platforms: string[]): Index {
  const manifests = platforms.map((text, at) => {
    const [os, architecture, variant] = text.split('/') as [string, string, string?];
    const platform: Platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${String(at).padStart(64, '0')}` as const,
      size: 1,
      platform,
    };
  });
  return { schemaVersion: 2, manifests };
}

function chosen(index: Index, platform: string): string {
  return platformText(chooseManifest(index, parsePlatform(platform)).platform!);
}

test('the best variant the processor runs', () => {
  const index = indexOf('unknown/unknown', 'linux/arm/v6', 'linux/arm/v7', 'linux/amd64', 'linux/arm64/v8');
  assert.equal(chosen(index, 'linux/amd64'), 'linux/amd64');
  assert.equal(chosen(index, 'linux/arm'), 'linux/arm/v7');
  assert.equal(chosen(index, 'linux/arm/v6'), 'linux/arm/v6');
  assert.equal(chosen(index, 'linux/arm64'), 'linux/arm64/v8');
  assert.equal(chosen(index, 'aarch64'), 'linux/arm64/v8');
  assert.equal(chosen(indexOf('linux/amd64/v2', 'linux/amd64'), 'linux/amd64'), 'linux/amd64');
  assert.throws(() => chosen(indexOf('linux/amd64/v3'), 'linux/amd64'), { kind: 'notFound' });
});

test('what is no platform is refused', () => {
  const refused: [string, string][] = [
    ['foo', '"foo": unknown operating system or architecture: invalid argument'],
    ['a/b/c/d', '"a/b/c/d": cannot parse platform specifier: invalid argument'],
    [
      'linux/',
      '"" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
    ],
  ];
  for (const [text, message] of refused)
    assert.throws(() => parsePlatform(text), { kind: 'invalid', message }, text);
  assert.equal(platformText(parsePlatform('x86-64')), 'linux/amd64');
  assert.equal(platformText(parsePlatform('linux/foo')), 'linux/foo');
});

test("none that fits, in Docker's words", () => {
  assert.throws(() => chosen(indexOf('linux/amd64'), 'linux/s390x'), {
    kind: 'notFound',
    message: 'no matching manifest for linux/s390x in the manifest list entries',
  });
  assert.throws(() => chosen(indexOf(), 'linux/amd64'), { kind: 'notFound' });
});

test('platforms as typed', () => {
  assert.deepEqual(parsePlatform('linux/x86_64'), { os: 'linux', architecture: 'amd64' });
  assert.deepEqual(parsePlatform('armhf'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.equal(parsePlatform('linux').os, 'linux');
  for (const text of ['', 'a/b/c/d', 'linux/', 'li nux/amd64']) {
    assert.throws(() => parsePlatform(text), { kind: 'invalid' }, text);
  }
  assert.ok(matchesPlatform({ os: 'linux', architecture: 'arm64' }, parsePlatform('linux/arm64/v8')));
});
