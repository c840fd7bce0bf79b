import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followLinksIn } from './follow-links.ts';

test('links are followed inside of a tree', () => {
  const links = new Map([
    ['file', 'sub/real'],
    ['sub/up', '../file'],
    ['dir', 'sub/deep'],
    ['absolute', '/sub/real'],
    ['out', '../../etc/passwd'],
    ['circle', 'other'],
    ['other', 'circle'],
  ]);
  const rows: [path: string, leadsTo: string | undefined][] = [
    ['plain', 'plain'],
    ['a/b', 'a/b'],
    ['file', 'sub/real'],
    ['sub/up', 'sub/real'],
    ['dir/x', 'sub/deep/x'],
    ['absolute', 'sub/real'],
    ['out', 'etc/passwd'],
    ['../file', 'sub/real'],
    ['circle', undefined],
    ['', ''],
  ];
  for (const [path, leadsTo] of rows)
    assert.equal(
      followLinksIn(path, one => links.get(one)),
      leadsTo,
      path,
    );
});
