import assert from 'node:assert/strict';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { S_IFBLK, S_IFCHR } from '../../src/linux/constants.ts';
import * as files from '../../src/linux/files.ts';

let root = '';
before(() => {
  root = mkdtempSync(join(tmpdir(), 'linux-files-'));
});
after(() => rmSync(root, { recursive: true }));

test('readFileInRoot keeps symlinks and dots inside the root', () => {
  const inside = join(root, 'rootfs');
  mkdirSync(join(inside, 'etc'), { recursive: true });
  writeFileSync(join(root, 'secret'), 'outside');
  writeFileSync(join(inside, 'secret'), 'inside');
  symlinkSync('/secret', join(inside, 'etc/absolute'));
  symlinkSync('../../../../secret', join(inside, 'etc/dots'));
  symlinkSync('/etc', join(inside, 'link'));
  for (const path of ['/etc/absolute', 'etc/dots', '../../secret', '/link/absolute']) {
    assert.equal(files.readFileInRoot(inside, path)?.toString(), 'inside', path);
  }
  assert.equal(files.readFileInRoot(inside, '/etc/missing'), undefined);
  assert.equal(files.readFileInRoot(inside, '/secret/below-a-file'), undefined);
});

test('readFileInRoot refuses what is no regular file, and what is too large', () => {
  files.mkfifo(join(root, 'fifo'), 0o600);
  files.mknod(join(root, 'zero'), S_IFCHR | 0o600, 1, 5);
  writeFileSync(join(root, 'large'), 'x'.repeat(101));
  for (const path of ['fifo', 'zero', 'large', '.']) {
    assert.throws(() => files.readFileInRoot(root, path, 100), { kind: 'invalid' }, path);
  }
});

test("readFileInRoot does not follow /proc's magic links", () => {
  assert.throws(() => files.readFileInRoot('/', '/proc/self/root/etc/passwd'), { code: 'ELOOP' });
});

test('spreadSubdirectories sets the flag once and for all, and minds no file system without it', () => {
  const path = join(root, 'trees');
  mkdirSync(path);
  const can = files.spreadSubdirectories(path);
  assert.equal(files.spreadSubdirectories(path), can);
  assert.equal(files.spreadSubdirectories('/proc'), false);
  assert.throws(() => files.spreadSubdirectories(join(root, 'missing')), { code: 'ENOENT' });
});

test('extended attributes hold any bytes', () => {
  const path = join(root, 'attributes');
  writeFileSync(path, '');
  const value = Buffer.alloc(1000, 0xff);
  assert.deepEqual(files.llistxattr(path), []);
  assert.equal(files.lgetxattr(path, 'user.none'), undefined);
  files.lsetxattr(path, 'user.bytes', value);
  files.lsetxattr(path, 'trusted.overlay.opaque', Buffer.from('y'));
  assert.deepEqual(files.lgetxattr(path, 'user.bytes'), value);
  assert.deepEqual(files.llistxattr(path).sort(), ['trusted.overlay.opaque', 'user.bytes']);
  files.lremovexattr(path, 'user.bytes');
  assert.deepEqual(files.llistxattr(Buffer.from(path)), ['trusted.overlay.opaque']);
});

test('device nodes carry their numbers, also large ones', () => {
  const path = join(root, 'device');
  files.mknod(path, S_IFBLK | 0o640, 4000, 70000);
  const stat = lstatSync(path);
  assert.ok(stat.isBlockDevice());
  assert.deepEqual([files.majorOf(stat.rdev), files.minorOf(stat.rdev)], [4000, 70000]);
});

test('times go to the nanosecond, before 1970 too, and to symlinks themselves', () => {
  const link = join(root, 'times');
  symlinkSync('nowhere', link);
  for (const time of [1_700_000_000_123_456_789n, -1_500_000_001n, 0n]) {
    files.utimensat(link, time, time);
    assert.equal(lstatSync(link, { bigint: true }).mtimeNs, time);
  }
});

test('names that are not UTF-8 work as buffers', () => {
  const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]);
  writeFileSync(path, '');
  files.lchown(path, 12, 34);
  assert.equal(lstatSync(path).gid, 34);
});

test('a lock is held by one', () => {
  const [first, second] = [openSync(join(root, 'lock'), 'w'), openSync(join(root, 'lock'), 'r')];
  assert.equal(files.flock(first, 'exclusive'), true);
  assert.equal(files.flock(second, 'exclusive'), false);
  closeSync(first);
  assert.equal(files.flock(second, 'exclusive'), true);
  closeSync(second);
});

test('files opened in a root are closed on exec', () => {
  writeFileSync(join(root, 'from'), '');
  const fd = files.openInRoot(root, 'from', 0);
  assert.ok(readlinkSync(`/proc/self/fd/${fd}`).endsWith('/from'));
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+02\d{6}/);
  closeSync(fd);
});
