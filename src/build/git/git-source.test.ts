import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GitSource, parseGitContext, parseGitSource, shownRemote } from './git-source.ts';

const plain = { ref: '', subdirectory: '', submodules: true };

const sources: [text: string, source: Partial<GitSource> | undefined][] = [
  ['https://h/a/b.git', { remote: 'https://h/a/b.git' }],
  ['https://h/a/b.git#v1', { remote: 'https://h/a/b.git', ref: 'v1' }],
  [
    'https://h/b.git#feature/x:sub/dir/',
    { remote: 'https://h/b.git', ref: 'feature/x', subdirectory: 'sub/dir' },
  ],
  ['https://h/b.git#:../../x', { remote: 'https://h/b.git', subdirectory: 'x' }],
  ['HTTPS://u:p@h/b.git', { remote: 'https://u:p@h/b.git' }],
  ['git://h/b', { remote: 'git://h/b' }],
  ['ssh://git@h:2222/b', { remote: 'ssh://git@h:2222/b' }],
  ['git@h:a/b', { remote: 'git@h:a/b' }],
  ['git@h:a/b.git#main:d', { remote: 'git@h:a/b.git', ref: 'main', subdirectory: 'd' }],
  [
    'https://h/b.git?branch=x&subdir=d',
    { remote: 'https://h/b.git', ref: 'refs/heads/x', subdirectory: 'd' },
  ],
  ['https://h/b.git?tag=v1', { remote: 'https://h/b.git', ref: 'refs/tags/v1' }],
  [
    'https://h/b.git?ref=x&commit=abc&keep-git-dir&submodules=false',
    { remote: 'https://h/b.git', ref: 'x', checksum: 'abc', keepGitDir: true, submodules: false },
  ],
  ['https://h/a.tar.gz', undefined],
  ['https://h/a.git/file', undefined],
  ['file:///a.git', undefined],
  ['ext::sh -c x', undefined],
  ['/a.git', undefined],
  ['./git@h:a', undefined],
  ['-u@h:a', undefined],
  ['git@-oProxyCommand=x:a', undefined],
  ['git@h:-a', undefined],
  ['github.com/a/b', undefined],
];

test('git repositories by their URLs', () => {
  for (const [text, source] of sources)
    assert.deepEqual(parseGitSource(text), source === undefined ? undefined : { ...plain, ...source }, text);
  assert.deepEqual(parseGitContext('github.com/a/b#x'), {
    ...plain,
    remote: 'https://github.com/a/b.git',
    ref: 'x',
  });
  assert.equal(shownRemote({ remote: 'https://u:p@h/b.git' }), 'https://u:xxxxx@h/b.git');
});

/** Names that git would take for options, or for several refs. */
const refused = [
  'https://h/b.git#--upload-pack=x',
  'https://h/b.git?ref=-x',
  'https://h/b.git#a..b',
  'https://h/b.git#+a^{}',
  'https://h/b.git#a%20b',
  'https://h/b.git#a%0ab',
  'ssh://-oProxyCommand=x/b',
  'ssh://git@-oProxyCommand=x/b',
  'https://h/b.git?unknown=1',
  'https://h/b.git?ref=a&ref=b',
  'https://h/b.git?ref=',
  'https://h/b.git?ref=a#b',
];

test('git repositories that cannot be', () => {
  for (const text of refused) assert.throws(() => parseGitSource(text), { kind: 'invalid' }, text);
});
