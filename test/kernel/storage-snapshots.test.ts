import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import { isMountPoint } from '../../src/linux/mount.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { type SnapshotDriverName, snapshotDriverNames } from '../../src/storage/snapshot-drivers.ts';
import type { Storage } from '../../src/storage/storage.ts';
import {
  applyTar,
  bytesOf,
  directory,
  file,
  listTar,
  symlink,
  tarOf,
  temporaryFolder,
  temporaryStorage,
} from './storage-fixture.ts';

async function withImage(
  t: TestContext,
  driver: SnapshotDriverName,
): Promise<{ storage: Storage; chainId: Digest }> {
  const storage = await temporaryStorage(t, temporaryFolder(t), driver);
  const base = await applyTar(
    storage,
    await tarOf([
      directory('etc'),
      file('etc/passwd'),
      file('etc/gone'),
      directory('dir/sub'),
      file('dir/a'),
      file('dir/sub/b'),
      symlink('lnk', 'etc'),
      directory('replaced'),
      file('replaced/old'),
    ]),
  );
  return { storage, chainId: base.chainId };
}

/** What every driver does alike: the engine never asks which one it is. */
for (const driver of snapshotDriverNames) {
  const skip = driver === 'fuse-overlayfs' && !existsSync('/dev/fuse') && 'this host has no /dev/fuse';
  suite(`snapshots of ${driver}`, { skip }, () => contract(driver));
}

function contract(driver: SnapshotDriverName): void {
  test('are roots of their own on shared layers', async t => {
    const { storage, chainId } = await withImage(t, driver);
    await storage.snapshots.create('one', chainId);
    await storage.snapshots.create('two', chainId);
    await assert.rejects(storage.snapshots.create('one', chainId), { kind: 'conflict' });
    await assert.rejects(storage.snapshots.create('three', digestOf('x')), { kind: 'notFound' });
    const one = storage.snapshots.mount('one');
    assert.equal(storage.snapshots.mount('one'), one);
    writeFileSync(join(one, 'mine'), 'x');
    assert.equal(readdirSync(storage.snapshots.mount('two')).includes('mine'), false);
    storage.snapshots.unmount('one');
    storage.snapshots.unmount('one');
    assert.equal(isMountPoint(one), false);
    assert.equal(readFileSync(join(storage.snapshots.mount('one', { readOnly: true }), 'mine'), 'utf8'), 'x');
    assert.throws(() => writeFileSync(join(one, 'more'), ''), { code: 'EROFS' });
    await storage.snapshots.remove('one');
    await storage.snapshots.remove('one');
    assert.deepEqual(
      storage.snapshots.list().map(snapshot => snapshot.id),
      ['two'],
    );
    await storage.snapshots.remove('two');
    assert.deepEqual(readdirSync(storage.paths.snapshots), []);
  });

  test('mount points are there and are no change', async t => {
    const { storage, chainId } = await withImage(t, driver);
    await storage.snapshots.create('s', chainId);
    const root = storage.snapshots.mount('s');
    assert.equal(statSync(join(root, 'etc/hosts')).size, 0);
    assert.equal(statSync(join(root, 'dev/console')).mode & 0o777, 0o755);
    assert.equal(readFileSync(join(root, 'etc/passwd'), 'utf8'), 'etc/passwd');
    assert.deepEqual(await storage.snapshots.changes('s'), []);
    assert.equal(await storage.snapshots.sizeOf('s'), 0);
    await storage.snapshots.create('scratch');
    assert.equal(readdirSync(storage.snapshots.mount('scratch')).includes('proc'), true);
    await storage.snapshots.create('bare', undefined, { mountPoints: false });
    assert.deepEqual(readdirSync(storage.snapshots.mount('bare')), []);
  });

  test('mount points of a layer serve those above that have nothing in their way', async t => {
    const { storage, chainId } = await withImage(t, driver);
    const made = () => readdirSync(storage.paths.layers).filter(name => name.endsWith('-init')).length;
    await storage.snapshots.create('base', chainId);
    const above = await applyTar(storage, await tarOf([file('app/a')]), { parent: chainId });
    await storage.snapshots.create('above', above.chainId);
    assert.equal(made(), 1);
    const root = storage.snapshots.mount('above');
    assert.equal(statSync(join(root, 'etc/hosts')).size, 0);
    assert.equal(readFileSync(join(root, 'app/a'), 'utf8'), 'app/a');

    const changing = [
      file('etc/hosts'),
      file('etc/passwd'),
      file('.wh.etc'),
      file('proc/x'),
      symlink('dev', 'etc'),
    ];
    for (const [index, entry] of changing.entries()) {
      const layer = await applyTar(storage, await tarOf([entry]), { parent: above.chainId });
      await storage.snapshots.create(`s${index}`, layer.chainId);
      assert.equal(made(), index + 2, entry.name);
    }
    assert.equal(readFileSync(join(storage.snapshots.mount('s0'), 'etc/hosts'), 'utf8'), 'etc/hosts');
    assert.deepEqual(readdirSync(join(storage.snapshots.mount('s2'), 'etc')).includes('passwd'), false);

    // Where a link leads, a layer above may have changed anything.
    const linked = await applyTar(storage, await tarOf([symlink('etc', 'conf'), directory('conf')]));
    const deleted = await applyTar(storage, await tarOf([file('conf/.wh.hosts')]), {
      parent: linked.chainId,
    });
    const before = made();
    await storage.snapshots.create('linked', linked.chainId);
    await storage.snapshots.create('deleted', deleted.chainId);
    assert.equal(made(), before + 2);
  });

  test('an image with hostile symlinks gets its mount points inside', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder, driver);
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const { chainId } = await applyTar(
      storage,
      await tarOf([symlink('etc', outside), symlink('dev', outside)]),
    );
    await storage.snapshots.create('s', chainId);
    assert.deepEqual(readdirSync(outside), []);
    assert.deepEqual(readdirSync(join(storage.snapshots.mount('s'), outside)).sort(), [
      'console',
      'hostname',
      'hosts',
      'mtab',
      'pts',
      'resolv.conf',
      'shm',
    ]);
  });

  test('changes are those of docker diff', async t => {
    const { storage, chainId } = await withImage(t, driver);
    await storage.snapshots.create('s', chainId);
    const root = storage.snapshots.mount('s');
    rmSync(join(root, 'etc/gone'));
    writeFileSync(join(root, 'etc/passwd'), 'other');
    mkdirSync(join(root, 'new/deep'), { recursive: true });
    writeFileSync(join(root, 'new/deep/x'), '');
    chmodSync(join(root, 'dir/sub/b'), 0o600);
    rmSync(join(root, 'replaced'), { recursive: true });
    mkdirSync(join(root, 'replaced'));
    writeFileSync(join(root, 'replaced/new'), '');
    writeFileSync(join(root, 'short-lived'), '');
    rmSync(join(root, 'short-lived'));
    utimesSync(join(root, 'dir'), 5, 5);
    const changes = await storage.snapshots.changes('s');
    assert.deepEqual(
      changes.map(({ kind, path }) => `${kind[0]!.toUpperCase()} ${path}`),
      [
        'M /dir',
        'M /dir/sub',
        'M /dir/sub/b',
        'M /etc',
        'D /etc/gone',
        'M /etc/passwd',
        'A /new',
        'A /new/deep',
        'A /new/deep/x',
        'M /replaced',
        'A /replaced/new',
        'D /replaced/old',
      ],
    );
  });

  for (const keep of [true, false]) {
    test(`a commit (${keep ? 'of a copy' : 'by moving'}) can be told from its tar and its root`, async t => {
      const { storage, chainId } = await withImage(t, driver);
      await storage.snapshots.create('s', chainId, { mountPoints: false });
      const root = storage.snapshots.mount('s');
      rmSync(join(root, 'etc/gone'));
      rmSync(join(root, 'dir'), { recursive: true });
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'dir/z'), 'Z');
      linkSync(join(root, 'dir/z'), join(root, 'dir/y'));
      writeFileSync(join(root, 'bytes'), 'B');
      renameSync(join(root, 'bytes'), Buffer.concat([Buffer.from(join(root, 'bytes-')), Buffer.of(0xff)]));
      symlinkSync('nowhere', join(root, 'link'));
      // A copy is not mounted; builds unmount what they commit, whatever the driver.
      if (!keep && driver !== 'vfs')
        await assert.rejects(storage.snapshots.commit('s', { owner: 'x' }), { kind: 'conflict' });
      const before = readdirSync(root, { recursive: true }).sort();
      if (!keep) storage.snapshots.unmount('s');
      const layer = await storage.snapshots.commit('s', { owner: 'test', keep });
      assert.equal(layer.parent, chainId);
      assert.equal(layer.sizeBytes, 2 + 'nowhere'.length);
      const tar = await bytesOf(storage.layers.tar(layer.chainId));
      assert.equal(digestOf(tar), layer.diffId);
      assert.deepEqual(await listTar(Readable.from([tar])), [
        'bytes-\udcff=B',
        'dir/',
        // A comparison cannot tell a new directory from an emptied one: that says the same.
        ...(driver === 'vfs' ? ['dir/.wh.a=', 'dir/.wh.sub='] : ['dir/.wh..wh..opq=']),
        'dir/y=Z',
        'dir/z->dir/y',
        'etc/',
        'etc/.wh.gone=',
        'link->nowhere',
      ]);
      await storage.snapshots.create('again', layer.chainId, { mountPoints: false });
      assert.deepEqual(readdirSync(storage.snapshots.mount('again'), { recursive: true }).sort(), before);
    });
  }

  test('two equal commits are one layer', async t => {
    const { storage, chainId } = await withImage(t, driver);
    const commits: string[] = [];
    for (const id of ['a', 'b']) {
      await storage.snapshots.create(id, chainId, { mountPoints: false });
      writeFileSync(join(storage.snapshots.mount(id), 'x'), 'x');
      utimesSync(join(storage.snapshots.pathOf(id), 'x'), 1, 1);
      storage.snapshots.unmount(id);
      commits.push((await storage.snapshots.commit(id, { owner: id })).directory);
      await storage.snapshots.remove(id);
    }
    assert.equal(commits[0], commits[1]);
    const empty = await storage.snapshots.create('c', chainId, { mountPoints: false });
    const layer = await storage.snapshots.commit(empty.id, { owner: 'c' });
    assert.equal(layer.sizeBytes, 0);
  });

  test('at start the unknown ones go and the others stay mounted', async t => {
    const folder = temporaryFolder(t);
    const first = await temporaryStorage(t, folder, driver);
    await first.snapshots.create('known');
    await first.snapshots.create('unknown');
    const known = first.snapshots.mount('known');
    const unknown = first.snapshots.mount('unknown');
    writeFileSync(join(known, 'x'), 'x');
    mkdirSync(join(first.paths.snapshots, '77/upper'), { recursive: true });
    await first.close();
    const second = await temporaryStorage(t, folder, driver);
    await second.snapshots.reconcile(new Set(['known']));
    assert.equal(readFileSync(join(known, 'x'), 'utf8'), 'x');
    assert.equal(isMountPoint(unknown), false);
    assert.deepEqual(readdirSync(second.paths.snapshots).length, 1);
    assert.equal(second.snapshots.mount('known'), known);
    second.snapshots.unmount('known');
  });

  test('more layers than a page of mount options holds', async t => {
    const storage = await temporaryStorage(t, temporaryFolder(t), driver);
    let parent: Digest | undefined;
    for (let n = 0; n < 125; n++)
      parent = (await applyTar(storage, await tarOf([file(`f${n}`)]), { parent })).chainId;
    await storage.snapshots.create('s', parent, { mountPoints: false });
    assert.equal(readdirSync(storage.snapshots.mount('s')).length, 125);
  });
}
