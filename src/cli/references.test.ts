import assert from 'node:assert/strict';
import test from 'node:test';
import { checkReference, checkReferenceOrId } from './references.ts';

const hex64 = '0123456789abcdef'.repeat(4);

test('names of images', () => {
  const names = [
    'busybox',
    'a/b',
    'a/b/c:1.0',
    'localhost:5000/a_b/c-d:V1',
    'host.example/a',
    '[::1]:5000/a',
  ];
  for (const name of [...names, `a@sha256:${hex64}`, `a:1@sha256:${hex64}`, 'HOST/a'])
    assert.doesNotThrow(() => checkReference(name), name);
});

test('what is no name is refused in docker’s words', () => {
  for (const name of ['', '-x', 'a:b:c', 'a@sha256:zz', 'a/-b', 'a:-b', 'a//b', 'a b', 'a:'])
    assert.throws(() => checkReference(name), { message: 'invalid reference format' }, name);
  assert.throws(() => checkReference('BusyBox:1'), {
    message: 'invalid reference format: repository name (library/BusyBox) must be lowercase',
  });
  assert.throws(() => checkReference(hex64), /cannot specify 64-byte hexadecimal strings/);
});

test('an id is as good as a name where a container is made', () => {
  assert.doesNotThrow(() => checkReferenceOrId(hex64));
  assert.doesNotThrow(() => checkReferenceOrId(`sha256:${hex64}`));
  assert.throws(() => checkReferenceOrId('sha256:short:x'), /invalid reference format/);
});
