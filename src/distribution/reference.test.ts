import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalName,
  familiarName,
  familiarText,
  parseReference,
  type Reference,
  withDefaultTag,
} from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

test('defaults are filled in as Docker fills them in', () => {
  const cases: [string, string, string][] = [
    ['busybox', 'docker.io/library/busybox', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox', 'busybox:1.36'],
    ['me/app', 'docker.io/me/app', 'me/app:latest'],
    ['library/busybox', 'docker.io/library/busybox', 'busybox:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox', 'busybox:latest'],
    ['index.docker.io/me/app', 'docker.io/me/app', 'me/app:latest'],
    ['localhost/app', 'localhost/app', 'localhost/app:latest'],
    ['localhost:5000/me/app:1.0', 'localhost:5000/me/app', 'localhost:5000/me/app:1.0'],
    ['reg.example/a/b/c', 'reg.example/a/b/c', 'reg.example/a/b/c:latest'],
    ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app:latest'],
    ['a/b/c', 'docker.io/a/b/c', 'a/b/c:latest'],
    [`busybox@${digest}`, 'docker.io/library/busybox', `busybox@${digest}`],
    [`busybox:1@${digest}`, 'docker.io/library/busybox', `busybox:1@${digest}`],
    ['a__b.c-d---e', 'docker.io/library/a__b.c-d---e', 'a__b.c-d---e:latest'],
  ];
  for (const [text, canonical, familiar] of cases) {
    const reference = withDefaultTag(parseReference(text));
    assert.equal(canonicalName(reference), canonical, text);
    assert.equal(familiarText(reference), familiar, text);
  }
});

test("what is wrong is said in Docker's words", () => {
  const lower = /^invalid reference format: repository name must be lowercase$/;
  const cases: [string, RegExp][] = [
    ['', /^invalid reference format$/],
    ['Busybox', lower],
    ['localhost:5000/Me/app:x', lower],
    ['busybox:', /^invalid reference format$/],
    ['busybox:.x', /^invalid reference format$/],
    [`busybox:${'x'.repeat(129)}`, /^invalid reference format$/],
    ['busybox@sha256:12', /^invalid reference format$/],
    ['a//b', /^invalid reference format$/],
    ['-a', /^invalid reference format$/],
    ['a_/b', /^invalid reference format$/],
    [' busybox', /^invalid reference format$/],
    ['busybox\n', /^invalid reference format$/],
    ['../etc/passwd', /^invalid reference format$/],
    [`a/${'b'.repeat(255)}`, /must not be more than 255 characters$/],
    ['ab'.repeat(32), /^invalid repository name \((ab)+\), cannot specify 64-byte hexadecimal strings$/],
    [`busybox@sha512:${'0'.repeat(128)}`, /unsupported digest algorithm$/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseReference(text), { kind: 'invalid', message }, JSON.stringify(text));
  }
});

test('what is shown can be read again and means the same', () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:[._]|__|-{1,2})[a-z0-9]{1,4}){0,2}$/);
  const registry = fc.constantFrom('docker.io', 'localhost', 'localhost:5000', 'reg.example', '10.0.0.1:80');
  const arbitrary = fc.record(
    {
      registry,
      repository: fc.array(part, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/')),
      tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/),
      digest: fc.constant(digest),
    },
    { requiredKeys: ['registry', 'repository'], noNullPrototype: true },
  );
  fc.assert(
    fc.property(arbitrary, made => {
      const reference = made as Reference;
      if (reference.registry === 'docker.io' && !reference.repository.includes('/')) {
        reference.repository = `library/${reference.repository}`;
      }
      // A first part like a registry's name is one; on Docker Hub it cannot be written short.
      fc.pre(
        reference.registry !== 'docker.io' || !/^(localhost|[^/]*\.[^/]*)\//.test(familiarName(reference)),
      );
      fc.pre(!/^[a-f0-9]{64}$/.test(familiarText(reference)));
      assert.deepEqual(parseReference(familiarText(reference)), reference);
    }),
  );
});

test('no text makes the parser throw anything but its own errors', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), text => {
      try {
        parseReference(text);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
      }
    }),
  );
});
