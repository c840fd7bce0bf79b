import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Glob } from './glob.ts';

/** As Go's filepath.Match answers, which is what COPY's sources are. */
const names: [pattern: string, path: string, matches: boolean][] = [
  ['abc', 'abc', true],
  ['abc', 'abcd', false],
  ['*', 'abc', true],
  ['*', '', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['a?c', 'a/c', false],
  ['a?c', 'aéc', true],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['[^a]', '/', false],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['a[^a]b', 'a☺b', true],
  ['[a-ζ]*', 'α', true],
  ['*[a-ζ]', 'A', false],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', 'z', false],
  ['[\\-x]', 'a', false],
  ['*x', 'xxx', true],
];

test('patterns of names', () => {
  for (const [pattern, path, matches] of names)
    assert.equal(new Glob(pattern, { doubleStar: false }).matches(path), matches, `${pattern} ${path}`);
});

/** With Docker's `**`, as in .dockerignore, --exclude and --parents. */
const paths: [pattern: string, path: string, matches: boolean][] = [
  ['**', 'a/b', true],
  ['**/', 'a', true],
  ['**/file', 'file', true],
  ['**/file', 'a/b/file', true],
  ['**/file', 'a/xfile', false],
  ['a/**', 'a/b', true],
  ['a/**', 'a/b/c', true],
  ['a/**', 'b/a', false],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/x/y/b', true],
  ['a/**/b', 'a/x/bb', false],
  ['**/*.go', 'x/y/z.go', true],
  ['**/*.go', 'z.goo', false],
  ['dir/**/*.c', 'dir/x.c', true],
  ['**/.foo', '.foo', true],
  ['**/foo/bar', 'a/foo/bar', true],
  ['abc/**', 'abc', false],
];

test('patterns of paths', () => {
  for (const [pattern, path, matches] of paths)
    assert.equal(new Glob(pattern, { doubleStar: true }).matches(path), matches, `${pattern} ${path}`);
});

test('patterns that are none', () => {
  for (const pattern of ['[', '[a', '[]', '[-]', '[x-]', '[-x]', '[a-b-c]', 'a[', 'x\\', '[^'])
    assert.throws(
      () => new Glob(pattern, { doubleStar: false }),
      { message: 'syntax error in pattern' },
      pattern,
    );
});

test('a pattern of many stars takes no time to fail', () => {
  assert.equal(new Glob(`${'*a'.repeat(60)}b`, { doubleStar: true }).matches('a'.repeat(2000)), false);
});
