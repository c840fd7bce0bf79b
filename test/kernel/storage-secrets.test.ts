import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { bindMount, listMounts, unmount } from '../../src/linux/mount.ts';
import { writeSecretFiles } from '../../src/storage/secret-files.ts';
import { temporaryFolder, temporaryStorage } from './storage-fixture.ts';

const value = Buffer.from('the value that nobody sees');
const root = { uid: 0, gid: 0 };

suite('secrets at rest', () => {
  test('are found by name, id and the beginning of an id, and come back whole', async t => {
    const { secrets } = await temporaryStorage(t);
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const { id } = secrets.create({ name: 'db', value: all, labels: { a: 'b' } });
    assert.match(id, /^[0-9a-z]{25}$/);
    for (const ref of [id, 'db', id.slice(0, 9)]) {
      assert.deepEqual(secrets.get(ref).labels, { a: 'b' });
      assert.deepEqual(secrets.reveal(secrets.get(ref)), all);
    }
    assert.equal(secrets.named(id), undefined);
    assert.throws(() => secrets.get('d-'), { kind: 'notFound', message: 'secret d- not found' });
    assert.throws(() => secrets.get(''), { kind: 'notFound' });
    secrets.remove(secrets.get('db'));
    assert.deepEqual(secrets.list(), []);
  });

  test('names and sizes that cannot be are refused', async t => {
    const { secrets } = await temporaryStorage(t);
    const create = (name: string, size = 1) => secrets.create({ name, value: Buffer.alloc(size, 1) });
    for (const name of ['../x', 'a/b', '.a', 'a.', '-a', 'a b', 'a\n', 'é', 'a'.repeat(65)]) {
      assert.throws(() => create(name), { kind: 'invalid', message: /^invalid name, only 64 / }, name);
    }
    assert.throws(() => create(''), { kind: 'invalid', message: 'name must be provided' });
    for (const size of [0, 512_000]) {
      assert.throws(() => create('size', size), { message: /larger than 0 and less than 512000 bytes/ });
    }
    create('a_b-c.d'.padEnd(64, 'e'));
    create('size', 511_999);
    assert.throws(() => create('SIZE'), { kind: 'conflict', message: 'secret SIZE already exists' });
  });

  test('labels change, by whoever has seen the last change', async t => {
    const { secrets } = await temporaryStorage(t);
    const secret = secrets.create({ name: 'db', value });
    secrets.setLabels(secret, 1, { a: 'b' });
    assert.deepEqual([secrets.get('db').version, secrets.get('db').labels], [2, { a: 'b' }]);
    assert.throws(() => secrets.setLabels(secret, 1, {}), { kind: 'conflict' });
    assert.deepEqual(secrets.reveal(secret), value);
  });

  test('the database holds no value, and a value belongs to its row', async t => {
    const { secrets, database, paths } = await temporaryStorage(t);
    const db = secrets.create({ name: 'db', value });
    const other = secrets.create({ name: 'other', value });
    const sealed = database.prepare('select sealed from secrets order by name').all();
    assert.notDeepEqual(sealed[0], sealed[1]);
    for (const file of [paths.database, `${paths.database}-wal`]) {
      assert.equal(readFileSync(file).includes(value), false);
    }
    database.prepare('update secrets set sealed = ? where id = ?').run(sealed[0]!['sealed']!, other.id);
    assert.throws(() => secrets.reveal(other), { kind: 'corrupt' });
    database.prepare("update secrets set name = 'renamed' where id = ?").run(db.id);
    assert.throws(() => secrets.reveal(secrets.get('renamed')), { kind: 'corrupt' });
  });

  test('the key is made with the first secret, and for root alone', async t => {
    const { secrets, paths } = await temporaryStorage(t);
    assert.equal(existsSync(paths.secretsKey), false);
    // What a daemon killed while it wrote the key leaves.
    writeFileSync(`${paths.secretsKey}.new`, 'half', { mode: 0o644 });
    const secret = secrets.create({ name: 'db', value });
    assert.equal(statSync(paths.secretsKey).mode & 0o777, 0o600);
    assert.equal(existsSync(`${paths.secretsKey}.new`), false);
    assert.deepEqual(secrets.reveal(secret), value);
  });

  test('a key that is missing or another one is told of, and no other one is made', async t => {
    const { secrets, paths } = await temporaryStorage(t);
    const { secretsKey } = paths;
    const secret = secrets.create({ name: 'db', value });
    renameSync(secretsKey, `${secretsKey}.kept`);
    const missing = {
      kind: 'unavailable',
      message: /secrets\.key is missing, .*: put it there from a backup/,
    };
    assert.throws(() => secrets.reveal(secret), missing);
    assert.throws(() => secrets.create({ name: 'more', value }), missing);
    writeFileSync(secretsKey, 'no key at all\n');
    assert.throws(() => secrets.reveal(secret), { kind: 'unavailable', message: /is not a key of secrets/ });
    writeFileSync(secretsKey, `${Buffer.alloc(32).toString('base64')}\n`);
    assert.throws(() => secrets.reveal(secret), {
      kind: 'corrupt',
      message: /^secret db cannot be decrypted: .*is not the key it was encrypted with/,
    });
    rmSync(secretsKey);
    symlinkSync(`${secretsKey}.kept`, secretsKey);
    assert.deepEqual(secrets.reveal(secret), value);
    renameSync(`${secretsKey}.kept`, secretsKey);
    assert.deepEqual(secrets.reveal(secret), value);
    secrets.remove(secret);
    renameSync(secretsKey, `${secretsKey}.old`);
    assert.deepEqual(secrets.reveal(secrets.create({ name: 'db', value })), value);
  });
});

suite('secrets for a container', () => {
  test('are files in memory, until they are released', async t => {
    const { paths } = await temporaryStorage(t);
    const files = [
      { value, uid: 5, gid: 6, mode: 0o440 },
      { value: Buffer.alloc(511_999, 'x'), uid: 0, gid: 0, mode: 0o777 },
    ];
    const written = writeSecretFiles(paths, 'c1', files, { uid: 100, gid: 200 });
    const directory = join(paths.secretFiles, 'c1');
    const [mount] = listMounts(directory);
    assert.equal(mount?.type, 'tmpfs');
    assert.ok(mount.superOptions.includes('ro'));
    assert.deepEqual([mount.options.includes('nosuid'), mount.options.includes('nodev')], [true, true]);
    const folder = statSync(directory);
    assert.deepEqual([folder.uid, folder.gid, folder.mode & 0o7777], [100, 200, 0o700]);
    written.paths.forEach((path, index) => {
      const { uid, gid, mode } = statSync(path);
      const { value: bytes, ...owner } = files[index]!;
      assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, owner);
      assert.deepEqual(readFileSync(path), bytes);
    });
    assert.throws(() => writeFileSync(written.paths[0]!, 'x'), { code: 'EROFS' });
    written.release();
    written.release();
    assert.deepEqual(readdirSync(paths.secretFiles), []);
  });

  test('what was bound meanwhile lives on', async t => {
    const folder = temporaryFolder(t);
    const { paths } = await temporaryStorage(t, folder);
    const written = writeSecretFiles(paths, 'c1', [{ value, ...root, mode: 0o400 }], root);
    const target = join(folder, 'bound');
    writeFileSync(target, '');
    bindMount(written.paths[0]!, target, { readOnly: true });
    written.release();
    assert.deepEqual(readFileSync(target), value);
    unmount(target);
  });

  test('the next daemon removes what a killed one left, at any point', async t => {
    const folder = temporaryFolder(t);
    const first = await temporaryStorage(t, folder);
    const { paths } = first;
    writeSecretFiles(paths, 'c1', [{ value, ...root, mode: 0o400 }], root);
    // Before its mount, or after it.
    const released = writeSecretFiles(paths, 'c2', [{ value, ...root, mode: 0o400 }], root);
    unmount(join(paths.secretFiles, 'c2'), { detach: true });
    await first.close();
    await temporaryStorage(t, folder);
    assert.deepEqual(readdirSync(paths.secretFiles), []);
    assert.deepEqual(listMounts(paths.secretFiles), []);
    released.release();
  });

  test('a container that starts again finds its place free', async t => {
    const { paths } = await temporaryStorage(t);
    writeSecretFiles(paths, 'c1', [{ value, ...root, mode: 0o400 }], root);
    const again = writeSecretFiles(paths, 'c1', [{ value: Buffer.from('new'), ...root, mode: 0o400 }], root);
    assert.equal(readFileSync(again.paths[0]!, 'utf8'), 'new');
    assert.equal(listMounts(paths.secretFiles).length, 1);
    again.release();
  });
});
