import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from '../../src/linux/constants.ts';
import {
  bindMount,
  isMountPoint,
  listMounts,
  mount,
  mountRestrictions,
  overlayMount,
  setPropagation,
  unmount,
} from '../../src/linux/mount.ts';

let root = '';
before(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'linux-mount-')));
});
after(() => {
  assert.deepEqual(listMounts(root), [], 'every mount is gone');
  rmSync(root, { recursive: true });
});

function directory(name: string): string {
  mkdirSync(join(root, name), { recursive: true });
  return join(root, name);
}

test('a tmpfs is mounted with flags and data, seen, and gone', () => {
  const target = directory('with space\n');
  mount({ source: 'mine', target, type: 'tmpfs', flags: MS_NOSUID | MS_NODEV, data: 'size=64k,mode=700' });
  const [entry] = listMounts(target);
  assert.equal(entry?.mountPoint, target);
  assert.equal(entry.type, 'tmpfs');
  assert.equal(entry.source, 'mine');
  assert.ok(entry.options.includes('nosuid') && entry.options.includes('nodev'));
  assert.equal(statSync(target).mode & 0o777, 0o700);
  assert.equal(isMountPoint(`${target}/`), true);
  unmount(target);
  assert.equal(isMountPoint(target), false);
});

test('what a mount forbids is seen from what lies on it', () => {
  const target = directory('restricted');
  assert.deepEqual(mountRestrictions(target), mountRestrictions(root));
  mount({ target, type: 'tmpfs', flags: MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC });
  assert.deepEqual(mountRestrictions(target), ['ro', 'nosuid', 'nodev', 'noexec']);
  unmount(target);
  assert.throws(() => mountRestrictions(join(root, 'nowhere')), { code: 'ENOENT' });
});

test('errors say the call, the path and the code', () => {
  assert.throws(
    () => mount({ target: join(root, 'nowhere'), type: 'tmpfs' }),
    (error: Error & { code?: string; syscall?: string; kind?: string }) =>
      error.code === 'ENOENT' && error.syscall === 'mount' && error.message.includes('nowhere'),
  );
  assert.throws(() => unmount(root), { code: 'EINVAL' });
  assert.throws(() => unmount(`${root}\0x`), { code: 'EINVAL' });
});

test('a read-only bind mount refuses writes and leaves its source writable', () => {
  const source = directory('source');
  const target = directory('target');
  writeFileSync(join(source, 'file'), 'x');
  bindMount(source, target, { readOnly: true, recursive: true, propagation: 'rslave' });
  assert.throws(() => writeFileSync(join(target, 'file'), 'y'), { code: 'EROFS' });
  writeFileSync(join(source, 'file'), 'y');
  assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'y');
  setPropagation(target, 'private');
  unmount(target, { detach: true });
});

test('an overlay of 300 layers with odd names mounts, hides and writes', () => {
  const lower: string[] = [];
  for (let layer = 0; layer < 300; layer++) {
    const path = directory(`layers/a:very,long-name-of-a-layer-directory-${layer}`);
    writeFileSync(join(path, `only-${layer}`), '');
    writeFileSync(join(path, 'same'), String(layer));
    lower.push(path);
  }
  const [upper, work, target] = [directory('upper'), directory('work'), directory('merged')];
  overlayMount({ lower, upper, work, target });
  try {
    assert.equal(readdirSync(target).length, 301);
    assert.equal(readFileSync(join(target, 'same'), 'utf8'), '0', 'the first is the topmost');
    writeFileSync(join(target, 'new'), 'n');
    assert.deepEqual(readdirSync(upper), ['new']);
  } finally {
    unmount(target);
  }
});

test('a read-only overlay, of one directory and of two', () => {
  const [one, two, target] = [directory('one'), directory('two'), directory('merged-ro')];
  writeFileSync(join(one, 'a'), '');
  for (const lower of [[one], [one, two]]) {
    overlayMount({ lower, target });
    assert.deepEqual(readdirSync(target), ['a']);
    assert.throws(() => writeFileSync(join(target, 'b'), ''), { code: 'EROFS' });
    unmount(target);
  }
});

test("an overlay that cannot be says so in the kernel's words", () => {
  const target = directory('bad');
  assert.throws(() => overlayMount({ lower: [join(root, 'missing'), root], target }), { code: 'ENOENT' });
  assert.throws(
    () =>
      overlayMount({
        lower: [directory('l')],
        upper: directory('u2'),
        work: join(directory('u2'), 'w'),
        target,
      }),
    /\((ENOENT|EINVAL)\)/,
  );
});
