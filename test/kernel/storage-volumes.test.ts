import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
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
import { isMountPoint } from '../../src/linux/mount.ts';
import { removeSubpaths, showVolumePart } from '../../src/storage/subpaths.ts';
import { temporaryFolder, temporaryStorage } from './storage-fixture.ts';

suite('volumes', () => {
  test('are directories with names', async t => {
    const { volumes, paths } = await temporaryStorage(t);
    const data = await volumes.create({ name: 'data', labels: { a: 'b' } });
    assert.equal(data.mountpoint, join(paths.volumes, 'data/_data'));
    assert.equal(statSync(data.mountpoint).mode & 0o7777, 0o755);
    assert.deepEqual((await volumes.create({ name: 'data' })).labels, { a: 'b' });
    const anonymous = await volumes.create({});
    assert.match(anonymous.name, /^[0-9a-f]{64}$/);
    assert.deepEqual(volumes.list().length, 2);
    writeFileSync(join(data.mountpoint, 'x'), '12345');
    assert.equal(await volumes.sizeOf('data'), 5);
    await volumes.remove('data');
    assert.equal(existsSync(paths.volume('data')), false);
    await assert.rejects(volumes.remove('data'), { kind: 'notFound', message: 'get data: no such volume' });
    await volumes.remove('data', { force: true });
  });

  test('a part of one is shown as it was found, and the next daemon takes away what a killed one showed', async t => {
    const storage = await temporaryStorage(t);
    const { volumes, paths } = storage;
    const volume = (await volumes.create({ name: 'data' })).mountpoint;
    mkdirSync(join(volume, 'part'));
    writeFileSync(join(volume, 'part/file'), 'kept');
    symlinkSync('part', join(volume, 'link'));
    symlinkSync('/etc', join(volume, 'out'));
    const [directory, file] = ['link', 'part/file'].map((subpath, number) =>
      showVolumePart(paths, String(number), { volume, subpath }),
    );
    renameSync(join(volume, 'part'), join(volume, 'elsewhere'));
    assert.equal(readFileSync(join(directory!.path, 'file'), 'utf8'), 'kept');
    assert.equal(readFileSync(file!.path, 'utf8'), 'kept');
    assert.throws(() => showVolumePart(paths, '2', { volume, subpath: 'out' }), { kind: 'invalid' });
    assert.throws(() => showVolumePart(paths, '2', { volume, subpath: 'part' }), { kind: 'notFound' });
    file!.release();
    assert.deepEqual(readdirSync(paths.subpaths), ['0']);
    removeSubpaths(paths);
    assert.deepEqual(readdirSync(paths.subpaths), []);
    assert.equal(readFileSync(join(volume, 'elsewhere/file'), 'utf8'), 'kept');
  });

  test('the first content of one that nobody uses is there as a whole or not at all', async t => {
    const { volumes, paths } = await temporaryStorage(t);
    const { mountpoint } = await volumes.create({ name: 'data', options: { mode: '0750' } });
    const fill = (stop?: Error) =>
      volumes.fill('data', async directory => {
        writeFileSync(join(directory, 'file'), 'of the image');
        assert.deepEqual(readdirSync(mountpoint), []);
        if (stop !== undefined) throw stop;
      });
    await assert.rejects(fill(new Error('cut off')), /cut off/);
    assert.deepEqual(readdirSync(paths.volume('data')), ['_data']);
    assert.equal(volumes.mayBeEmpty('data'), true);
    await fill();
    assert.equal(volumes.mayBeEmpty('data'), false);
    assert.equal(readFileSync(join(mountpoint, 'file'), 'utf8'), 'of the image');
    assert.equal(statSync(mountpoint).mode & 0o7777, 0o750);
    await volumes.fill('data', () => assert.fail('it is not empty'));
    assert.deepEqual(readdirSync(paths.volume('data')), ['_data']);
  });

  test('one that somebody uses is filled where it is, and one that is gone is of no size', async t => {
    const { volumes, paths } = await temporaryStorage(t);
    const { mountpoint } = await volumes.create({ name: 'data' });
    await volumes.mount('data', 'user');
    await volumes.fill('data', async directory => writeFileSync(join(directory, 'file'), ''));
    assert.deepEqual(readdirSync(mountpoint), ['file']);
    await volumes.unmount('data', 'user');
    rmSync(paths.volume('data'), { recursive: true });
    assert.equal(await volumes.sizeOf('data'), 0);
    assert.equal(volumes.mayBeEmpty('data'), false);
  });

  test('one that is in use stays', async t => {
    const { volumes } = await temporaryStorage(t);
    await volumes.create({ name: 'data' });
    await volumes.mount('data', 'c1');
    await assert.rejects(volumes.remove('data', { force: true }), {
      kind: 'conflict',
      message: 'remove data: volume is in use - [c1]',
    });
    await volumes.unmount('data', 'c1');
    await volumes.remove('data');
  });

  test('one that a container is being made with stays, and so does one that somebody else knows a user of', async t => {
    const { volumes } = await temporaryStorage(t);
    const { mountpoint } = await volumes.claim('data', 'maker', {});
    await volumes.claim('data', 'other', {});
    writeFileSync(join(mountpoint, 'x'), '12345');
    const inUse = (by: string) => ({
      kind: 'conflict',
      message: `remove data: volume is in use - [${by}]`,
    });
    await assert.rejects(volumes.remove('data', { force: true }), inUse('maker, other'));
    volumes.unclaim('maker');
    await assert.rejects(volumes.remove('data'), inUse('other'));
    volumes.unclaim('other');
    await assert.rejects(
      volumes.remove('data', { usedBy: name => [`user of ${name}`] }),
      inUse('user of data'),
    );
    assert.equal(readFileSync(join(mountpoint, 'x'), 'utf8'), '12345');
    await volumes.remove('data');
    assert.equal(volumes.find('data'), undefined);
  });

  test('options are mounted for the first user and unmounted after the last', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const { volumes } = storage;
    await volumes.create({
      name: 'memory',
      options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,mode=1777,noexec' },
    });
    const path = await volumes.mount('memory', 'c1');
    assert.equal(await volumes.mount('memory', 'c2'), path);
    assert.equal(statSync(path).mode & 0o7777, 0o1777);
    await volumes.unmount('memory', 'c1');
    assert.equal(isMountPoint(path), true);
    await volumes.reconcile(new Map([['memory', ['c2']]]));
    await volumes.unmount('memory', 'c2');
    await volumes.unmount('memory', 'c2');
    assert.equal(isMountPoint(path), false);

    const source = join(folder, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'kept'), 'kept');
    await volumes.create({ name: 'bound', options: { type: 'none', device: source, o: 'bind' } });
    assert.deepEqual(readdirSync(await volumes.mount('bound', 'c1')), ['kept']);
    await volumes.reconcile(new Map());
    await volumes.mount('bound', 'c1');
    await volumes.unmount('bound', 'c1');
    await volumes.remove('bound');
    assert.equal(readFileSync(join(source, 'kept'), 'utf8'), 'kept');

    await volumes.create({ name: 'read', options: { type: 'none', device: source, o: 'bind,ro' } });
    const read = await volumes.mount('read', 'c1');
    assert.throws(() => writeFileSync(join(read, 'new'), ''), { code: 'EROFS' });
    await volumes.unmount('read', 'c1');

    await volumes.create({
      name: 'wrong',
      options: { type: 'none', device: join(folder, 'nothing'), o: 'bind' },
    });
    await assert.rejects(
      volumes.mount('wrong', 'c1'),
      /^EngineError: error while mounting volume '.*wrong\/_data': failed to mount local volume: mount .*nothing:.*wrong\/_data, flags: 0x1000: no such file or directory$/,
    );
    await volumes.remove('wrong');
  });
});
