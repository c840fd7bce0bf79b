import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../stdx/errors.ts';
import { Glob } from './glob.ts';
import { IgnoreRules, readPatterns } from './ignore.ts';

/** From the tables of moby/patternmatcher, and cases where gitignore differs. */
const single: [pattern: string, path: string, ignored: boolean][] = [
  ['**', 'file', true],
  ['**', 'dir/file', true],
  ['**/', 'file', true],
  ['**/', 'dir/', true],
  ['**/**', 'dir/file', true],
  ['dir/**', 'dir/file', true],
  ['dir/**', 'dir/dir2/file', true],
  ['dir/**', 'dir', false],
  ['**/dir2/*', 'dir/dir2/file', true],
  ['**/dir2/**', 'dir/dir2/dir2/file', true],
  ['**file', 'file', true],
  ['**file', 'dir/file', true],
  ['**/file', 'dir/dir/file', true],
  ['**/file*', 'dir/dir/file.txt', true],
  ['**/file*txt', 'dir/dir/file.txt', true],
  ['**/file*.txt*', 'dir/dir/file.txt', true],
  ['**/**/*.txt', 'dir/dir/file.txt', true],
  ['**/**/*.txt2', 'dir/dir/file.txt', false],
  ['**/*.txt', 'file.txt', true],
  ['a**/*.txt', 'a/file.txt', true],
  ['a**/*.txt', 'a/dir/file.txt', true],
  ['a/*.txt', 'a/dir/file.txt', false],
  ['a/*.txt', 'a/file.txt', true],
  ['a[b-d]e', 'ae', false],
  ['a[b-d]e', 'ace', true],
  ['a[b-d]e', 'aae', false],
  ['a[^b-d]e', 'aze', true],
  ['.*', '.foo', true],
  ['.*', 'foo', false],
  ['abc.def', 'abcdef', false],
  ['abc.def', 'abc.def', true],
  ['abc?def', 'abcZdef', true],
  ['abc?def', 'abc/def', false],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['**/foo/bar', 'foo/bar', true],
  ['**/foo/bar', 'dir/foo/bar', true],
  ['abc/**', 'abc', false],
  ['abc/**', 'abc/def', true],
  ['**/.foo', 'bar.foo', false],
  ['a(b)c/def', 'a(b)c/def', true],
  ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
  ['docs', 'docs/a/b.md', true],
  ['docs/', 'docs/a', true],
  ['docs', 'other/docs', false],
  ['/docs', 'docs', true],
  ['./docs/../src', 'src/x', true],
  ['*', 'a/b', true],
  ['*/b', 'a/b/c', true],
  ['foo*', 'foo/bar', true],
];

test('one pattern', () => {
  for (const [pattern, path, ignored] of single)
    assert.equal(
      IgnoreRules.parse(pattern).ignores(path.replace(/\/$/, '')),
      ignored,
      `${pattern} on ${path}`,
    );
});

const several: [patterns: string, path: string, ignored: boolean][] = [
  ['*\n!README.md', 'README.md', false],
  ['*\n!README.md', 'main.go', true],
  ['*.md\n!README*.md\nREADME-secret.md', 'README-secret.md', true],
  ['*.md\nREADME-secret.md\n!README*.md', 'README-secret.md', false],
  ['docs\n!docs/keep', 'docs/keep/a', false],
  ['docs\n!docs/keep', 'docs/a', true],
  ['!docs', 'docs', false],
  ['**\n!src/**/*.ts', 'src/a/b.ts', false],
  ['**\n!src/**/*.ts', 'src/a/b.js', true],
  ['util/docker/web\n!util/docker/web/foo', 'util/docker/web/foo', false],
  ['# a\n\n  x  \n', 'x', true],
  [' # not a comment', '# not a comment', true],
  ['! x\n', 'x', false],
  ['', 'anything', false],
];

test('the last rule that matches decides', () => {
  for (const [text, path, ignored] of several)
    assert.equal(IgnoreRules.parse(text).ignores(path), ignored, `${JSON.stringify(text)} on ${path}`);
});

test('lines are cleaned as Docker cleans them', () => {
  assert.deepEqual(readPatterns('\uFEFF/a/b/\r\n#c\n!/d\n./e//f\n'), ['a/b', '!d', 'e/f']);
});

test('bad patterns are refused', () => {
  for (const pattern of ['!', 'a[', '[]a]', 'a[b', 'x\\', '[a-]', '[--x]'])
    assert.throws(() => new IgnoreRules([pattern]), EngineError, pattern);
});

test("Go's filepath.Match: no double star", () => {
  const cases: [string, string, boolean][] = [
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'ab/c', false],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['ab[c]', 'abc', true],
    ['[a-ζ]*', 'α', true],
    ['a???b', 'a☺☻☹b', true],
    ['**/b', 'a/c/b', false],
    ['**', 'abc', true],
    ['[\\]a]', ']', true],
    ['[x\\-]', '-', true],
    ['*x', 'xxx', true],
  ];
  for (const [pattern, path, expected] of cases)
    assert.equal(new Glob(pattern, { doubleStar: false }).matches(path), expected, `${pattern} on ${path}`);
});

test('hostile patterns cost no more than others', () => {
  assert.equal(new Glob('**/a'.repeat(60), { doubleStar: true }).matches('a/'.repeat(400)), false);
});
