import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { lgetxattr, lsetxattr, majorOf, minorOf } from '../../src/linux/files.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { kindOf } from '../../src/stdx/errors.ts';
import type { EarlyLayer } from '../../src/storage/early-layer.ts';
import type { Layer } from '../../src/storage/layers.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { Arrival } from '../../src/storage/worker/arrival.ts';
import { isOpaque, isWhiteout } from '../../src/storage/worker/whiteouts.ts';
import { WorkerPool } from '../../src/storage/worker-pool.ts';
import {
  applyTar,
  bytesOf,
  directory,
  file,
  hardlink,
  symlink,
  tarOf,
  temporaryFolder,
  temporaryStorage,
} from './storage-fixture.ts';

/** struct vfs_cap_data, revision 2: cap_net_bind_service, with bytes that are no UTF-8. */
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

suite('layers', () => {
  test('a blob can be unpacked while it comes, and the layer is there with its end', async t => {
    const storage = await temporaryStorage(t);
    const tar = await tarOf([directory('a'), file('a/b', 'x'.repeat(100_000))]);
    const packed = gzipSync(tar);
    const { layer, early } = await applyArriving(storage, [packed.subarray(0, 50), packed.subarray(50)], tar);
    assert.equal(readFileSync(join(layer.directory, 'a/b'), 'utf8').length, 100_000);
    assert.deepEqual([layer.sizeBytes, layer.blob?.digest], [100_000, digestOf(packed)]);
    assert.equal(await early.take(undefined, undefined), undefined, 'it was used');
    // One that is known is not unpacked again.
    const unused = { path: join(layer.directory, 'a/b'), pastCache: false, arrival: new Arrival().shared };
    assert.equal(storage.layers.unpackEarly(digestOf(packed), unused), undefined);
    assert.equal(storage.layers.unpackEarly(digestOf(tar), unused), undefined);
  });

  test('what depends on the layers below is unpacked when they are known', async t => {
    const storage = await temporaryStorage(t);
    const parent = await applyTar(storage, await tarOf([directory('a', { mode: 0o700, uid: 7 })]));
    const tar = await tarOf([file('a/b')]);
    const { layer } = await applyArriving(storage, [tar], tar, parent.chainId);
    const { mode, uid } = statSync(join(layer.directory, 'a'));
    assert.deepEqual([mode & 0o7777, uid], [0o700, 7]);
  });

  test('a large one goes past the page cache, also one whose first bytes were here', async t => {
    const storage = await temporaryStorage(t, temporaryFolder(t, { onDisk: true }));
    const content = randomBytes(34_000_000);
    const tar = await tarOf([file('large', content), hardlink('again', 'large'), file('small', 'x')]);
    const blob = digestOf(tar);
    const request = { digest: blob, size: tar.length, key: 'large' };
    const cut = await storage.blobs.ingest(request);
    assert.equal(cut.pastCache, true);
    await cut.write(tar.subarray(0, 5_000_000));
    await cut.abort({ keep: true });
    const arrival = new Arrival();
    const ingest = await storage.blobs.ingest({ ...request, arrival });
    assert.equal(ingest.offset, 4 << 20);
    const { path, pastCache } = ingest;
    const early = storage.layers.unpackEarly(blob, { path, pastCache, arrival: arrival.shared });
    await ingest.write(tar.subarray(4 << 20));
    await ingest.commit();
    const source = { blob, mediaType: mediaTypes.ociLayer, early };
    const { directory: top } = await storage.layers.apply({ diffId: blob, source });
    assert.ok(readFileSync(join(top, 'again')).equals(content));
    assert.equal(readFileSync(join(top, 'small'), 'utf8'), 'x');
    assert.equal(digestOf(readFileSync(storage.blobs.pathOf(blob))), blob);
  });

  test('of what is not wanted after all nothing is left', async t => {
    const storage = await temporaryStorage(t);
    const before = readdirSync(storage.paths.layers);
    const arrival = new Arrival();
    const ingest = await storage.blobs.ingest({ arrival });
    await ingest.write(Buffer.alloc(100_000, 'no tar'));
    const arriving = { path: ingest.path, pastCache: false, arrival: arrival.shared };
    const early = storage.layers.unpackEarly(digestOf('any'), arriving)!;
    assert.equal(storage.layers.unpackEarly(digestOf('any'), arriving), undefined);
    await early.discard();
    await ingest.abort({ keep: false });
    assert.deepEqual(readdirSync(storage.paths.layers), before);
    assert.equal(await early.take(undefined, undefined), undefined);
  });

  test('everything an archive can hold arrives', async t => {
    const storage = await temporaryStorage(t);
    const mtimeNs = 1_600_000_000_123_456_789n;
    const layer = await applyTar(
      storage,
      await tarOf([
        directory('bin', { mode: 0o1777, uid: 3, gid: 4, mtimeNs }),
        file('bin/su', 'x'.repeat(1000), {
          mode: 0o4755,
          uid: 5,
          gid: 6,
          mtimeNs,
          xattrs: new Map([['security.capability', capability]]),
        }),
        hardlink('bin/sudo', 'bin/su'),
        symlink('lib', 'usr/lib'),
        { name: 'dev/null', type: 'char', devMajor: 1, devMinor: 3, mode: 0o666 },
        { name: 'dev/loop7', type: 'block', devMajor: 7, devMinor: 7 },
        { name: 'run/pipe', type: 'fifo', mode: 0o620 },
        file(`long/${'n'.repeat(200)}`),
        file('odd/\udcff\udc80', 'bytes'),
      ]),
    );
    const at = (name: string) => join(layer.directory, name);
    const su = statSync(at('bin/su'), { bigint: true });
    assert.equal(su.mode & 0o7777n, 0o4755n);
    assert.deepEqual([su.uid, su.gid, su.nlink, su.mtimeNs], [5n, 6n, 2n, mtimeNs]);
    assert.deepEqual(lgetxattr(at('bin/su'), 'security.capability'), capability);
    const bin = statSync(at('bin'), { bigint: true });
    assert.deepEqual([bin.mode & 0o7777n, bin.uid, bin.mtimeNs], [0o1777n, 3n, mtimeNs]);
    assert.equal(lstatSync(at('lib')).isSymbolicLink(), true);
    const device = statSync(at('dev/null'));
    assert.deepEqual([majorOf(device.rdev), minorOf(device.rdev), device.mode & 0o777], [1, 3, 0o666]);
    assert.equal(statSync(at('dev/loop7')).isBlockDevice(), true);
    assert.equal(statSync(at('run/pipe')).isFIFO(), true);
    assert.equal(
      readFileSync(Buffer.concat([Buffer.from(`${at('odd')}/`), Buffer.of(0xff, 0x80)]), 'utf8'),
      'bytes',
    );
    assert.equal(layer.sizeBytes, 1000 + 205 + 5 + 'usr/lib'.length);
  });

  test('a layer is known by what it unpacks to, whatever it is compressed with', async t => {
    const storage = await temporaryStorage(t);
    const tar = await tarOf([file('a', 'x'.repeat(100_000))]);
    for (const bytes of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
      const { digest } = await storage.blobs.write(bytes);
      const layer = await storage.layers.apply({
        source: { blob: digest, mediaType: 'm' },
        diffId: digestOf(tar),
        owner: 'test',
      });
      assert.equal(layer.diffId, digestOf(tar));
      assert.deepEqual(await bytesOf(storage.layers.tar(layer.chainId)), tar);
    }
    assert.equal(storage.layers.list().length, 1);
  });

  test('content that is not what was promised is refused and leaves nothing', async t => {
    const storage = await temporaryStorage(t);
    const tar = await tarOf([file('a')]);
    await assert.rejects(applyTar(storage, tar, { diffId: digestOf('something else') }), { kind: 'corrupt' });
    await assert.rejects(applyTar(storage, gzipSync(tar).subarray(0, 40)), { kind: 'invalid' });
    const long = await tarOf([file('a', 'x'.repeat(1000))]);
    await assert.rejects(applyTar(storage, long.subarray(0, 700)), {
      kind: 'invalid',
      message: /unexpected EOF/,
    });
    assert.deepEqual(readdirSync(storage.paths.layers), []);
    assert.deepEqual(storage.layers.list(), []);
  });

  test('whiteouts become what overlayfs understands', async t => {
    const storage = await temporaryStorage(t);
    const base = await applyTar(
      storage,
      await tarOf([file('etc/a'), file('etc/b'), file('opt/x'), file('srv/old')]),
    );
    const layer = await applyTar(
      storage,
      await tarOf([
        file('etc/.wh.a', ''),
        directory('opt'),
        file('opt/.wh..wh..opq', ''),
        file('opt/y'),
        // Deleted and made anew in one layer: what was below must not shine through.
        file('.wh.srv', ''),
        file('srv/new'),
        // Made and then "deleted": the whiteout means the layers below.
        file('both', 'kept'),
        file('.wh.both', ''),
        file('.wh..wh.plnk/1', 'aufs'),
      ]),
      { parent: base.chainId },
    );
    const at = (name: string) => join(layer.directory, name);
    assert.equal(isWhiteout(lstatSync(at('etc/a'), { bigint: true })), true);
    assert.equal(isOpaque(at('opt')), true);
    assert.equal(isOpaque(at('srv')), true);
    assert.equal(readFileSync(at('both'), 'utf8'), 'kept');
    await storage.snapshots.create('s', layer.chainId, { mountPoints: false });
    const root = storage.snapshots.mount('s');
    assert.deepEqual(readdirSync(root, { recursive: true }).sort(), [
      'both',
      'etc',
      'etc/b',
      'opt',
      'opt/y',
      'srv',
      'srv/new',
    ]);
  });

  test('directories a layer does not bring itself look like those below', async t => {
    const storage = await temporaryStorage(t);
    const base = await applyTar(
      storage,
      await tarOf([directory('home/me', { mode: 0o700, uid: 1000, gid: 1001 }), file('home/me/a')]),
    );
    const layer = await applyTar(storage, await tarOf([file('home/me/b')]), { parent: base.chainId });
    const stat = statSync(join(layer.directory, 'home/me'));
    assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid], [0o700, 1000, 1001]);
  });

  test('layers are collected from the top, and not while somebody needs them', async t => {
    const storage = await temporaryStorage(t);
    const base = await applyTar(storage, await tarOf([file('a')]), { owner: 'one' });
    const top = await applyTar(storage, await tarOf([file('b')]), { owner: 'two', parent: base.chainId });
    storage.layers.dereference('one');
    assert.deepEqual((await storage.layers.removeUnreferenced()).removed, []);
    await storage.snapshots.create('s', top.chainId);
    storage.layers.dereference('two');
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual((await storage.layers.removeUnreferenced()).removed, []);
    await storage.snapshots.remove('s');
    const { removed } = await storage.layers.removeUnreferenced();
    assert.deepEqual(
      removed.map(layer => layer.chainId),
      [top.chainId, base.chainId],
    );
    assert.deepEqual(readdirSync(storage.paths.layers), []);
    await storage.blobs.removeUnreferenced();
    assert.deepEqual(storage.blobs.list(), []);
  });

  test('what a build has made waits for the disk, and goes when the machine stops before', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const { layers, snapshots, database } = storage;
    const base = await applyTar(storage, await tarOf([file('a')]));
    const made: Digest[] = [base.chainId];
    for (const id of ['build-1', 'build-2', 'build-3']) {
      const { path } = await snapshots.create(id, made.at(-1), { mountPoints: false });
      snapshots.mount(id);
      writeFileSync(join(path, id), id);
      snapshots.unmount(id);
      const layer = await snapshots.commit(id, { owner: `build-cache:${id}` });
      made.push(layer.chainId);
    }
    await layers.durable(made.at(-1)!);
    const marked = database.prepare('select count(*) as count from layers where unsynced_since is not null');
    assert.equal(marked.get()!['count'], 0);
    // The daemon is killed and starts again, first in the same boot of the machine, then in another.
    const mark = database.prepare('update layers set unsynced_since = ? where chain_id = ?');
    mark.run(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), made[1]!);
    await storage.close();
    const again = await temporaryStorage(t, folder);
    assert.deepEqual(
      again.layers.list().map(layer => layer.chainId),
      made,
    );
    await again.layers.durable(made.at(-1)!);
    again.database
      .prepare('update layers set unsynced_since = ? where chain_id = ?')
      .run('another', made[2]!);
    await again.close();
    const later = await temporaryStorage(t, folder);
    assert.deepEqual(
      later.layers.list().map(layer => layer.chainId),
      made.slice(0, 2),
    );
    assert.deepEqual(readdirSync(later.paths.layers).length, 2);
    // The third step had begun on what is lost, and is a leftover.
    assert.deepEqual(
      later.snapshots.list().map(({ id }) => id),
      ['build-1', 'build-2'],
    );
    assert.deepEqual(readdirSync(later.paths.snapshots).length, 2);
  });

  test('what the disk did not take is refused, with what is above it, and goes when the daemon starts', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const { layers, snapshots, workers } = storage;
    const step = async (id: string, parent: Digest): Promise<Digest> => {
      const { path } = await snapshots.create(id, parent, { mountPoints: false });
      snapshots.mount(id);
      writeFileSync(join(path, id), id);
      snapshots.unmount(id);
      return (await snapshots.commit(id, { owner: `build-cache:${id}` })).chainId;
    };
    const base = await applyTar(storage, await tarOf([file('a')]));
    const run = workers.run.bind(workers) as (...words: unknown[]) => Promise<unknown>;
    const broken = t.mock.method(workers, 'run', (...words: unknown[]) =>
      words[0] === 'sync' ? Promise.reject(systemError('EIO', 'i/o error')) : run(...words),
    );
    const refused = await step('build-1', base.chainId);
    await assert.rejects(layers.durable(refused), { code: 'EIO' });
    broken.mock.restore();
    // The kernel tells it once: that the next sync succeeds proves nothing.
    const above = await step('build-2', refused);
    for (const chainId of [refused, above]) {
      await assert.rejects(layers.durable(chainId), { code: 'EIO' });
      assert.throws(() => layers.makeDurable(chainId), { code: 'EIO' });
    }
    const beside = await step('build-3', base.chainId);
    await layers.durable(beside);
    await storage.close();
    const later = await temporaryStorage(t, folder);
    assert.deepEqual(
      later.layers.list().map(({ chainId }) => chainId),
      [base.chainId, beside],
    );
    assert.equal(readdirSync(later.paths.layers).length, 2);
    await later.layers.durable(beside);
  });

  test('the same layer asked for twice at once is unpacked once', async t => {
    const storage = await temporaryStorage(t);
    const { digest } = await storage.blobs.write(await tarOf([file('a')]));
    const options = { source: { blob: digest, mediaType: 'm' }, diffId: digest };
    const layers = await Promise.all([1, 2, 3].map(n => storage.layers.apply({ ...options, owner: `${n}` })));
    assert.equal(new Set(layers.map(layer => layer.directory)).size, 1);
    const unknown = await Promise.all(
      [1, 2].map(() => storage.layers.apply({ source: options.source, owner: 'x' })),
    );
    assert.equal(unknown[0]!.directory, layers[0]!.directory);
    assert.deepEqual(readdirSync(storage.paths.layers).length, 1);
  });

  test('a cancelled one leaves nothing', async t => {
    const storage = await temporaryStorage(t);
    const tar = await tarOf(Array.from({ length: 2000 }, (_, n) => file(`f${n}`, 'x'.repeat(5000))));
    const { digest } = await storage.blobs.write(tar);
    const abort = new AbortController();
    const applying = storage.layers.apply({
      source: { blob: digest, mediaType: 'm' },
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await assert.rejects(applying, { kind: 'cancelled' });
    assert.deepEqual(readdirSync(storage.paths.layers), []);
  });

  test('a damaged directory is noticed when it is read again', async t => {
    const storage = await temporaryStorage(t);
    await storage.snapshots.create('s', undefined, { mountPoints: false });
    writeFileSync(join(storage.snapshots.mount('s'), 'a'), 'a');
    storage.snapshots.unmount('s');
    const layer = await storage.snapshots.commit('s', { owner: 'test' });
    writeFileSync(join(layer.directory, 'a'), 'b');
    await assert.rejects(bytesOf(storage.layers.tar(layer.chainId)), { kind: 'corrupt' });
  });
});

suite('hostile archives', () => {
  const refused: [what: string, entries: Parameters<typeof tarOf>[0]][] = [
    ['a name that climbs out', [file('../evil')]],
    ['a name that climbs out later', [file('a/../../evil')]],
    ['a hard link that climbs out', [hardlink('x', '../../../../etc/passwd')]],
    ['a hard link to a file of the host', [hardlink('x', '/etc/hostname')]],
    ['a hard link through a symlink to outside', [symlink('d', '/etc'), hardlink('x', 'd/hostname')]],
    ['a file where a directory is needed', [file('a'), file('a/b')]],
    ['a dangling symlink where a directory is needed', [symlink('a', '/nowhere'), file('a/b')]],
    ['a name longer than the kernel takes', [file('n'.repeat(300))]],
    ['a path longer than the kernel takes', [file(`${'long/'.repeat(1000)}x`)]],
    ['a symlink loop as a parent', [symlink('a', 'b'), symlink('b', 'a'), file('a/x')]],
    ['a whiteout of the parent', [file('.wh...', '')]],
    ['an owner out of range', [file('x', '', { uid: 0xffff_ffff })]],
    ['a top that is no directory', [file('./', '')]],
  ];
  test('are refused', async t => {
    const storage = await temporaryStorage(t);
    for (const [what, entries] of refused) {
      await t.test(what, async () => {
        await assert.rejects(applyTar(storage, await tarOf(entries)), error => {
          assert.equal(kindOf(error), 'invalid', String(error));
          return true;
        });
        assert.deepEqual(readdirSync(storage.paths.layers), []);
      });
    }
  });

  test('links to the outside lead to the inside', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const layer = await applyTar(
      storage,
      await tarOf([
        directory(outside),
        symlink('absolute', outside),
        file('absolute/one'),
        symlink('climbing', `../../../../../../../..${outside}`),
        file('climbing/two'),
        file('/absolute-name'),
        // A directory replaced by a symlink half-way.
        directory('swapped'),
        file('swapped/three'),
        symlink('swapped', outside),
        file('swapped/four'),
      ]),
    );
    assert.deepEqual(readdirSync(outside), []);
    assert.deepEqual(readdirSync(join(layer.directory, outside)).sort(), ['four', 'one', 'two']);
    assert.equal(readFileSync(join(layer.directory, 'absolute-name'), 'utf8'), '/absolute-name');
  });

  test('a file that was a symlink to the outside is replaced, not followed', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'untouched');
    const layer = await applyTar(storage, await tarOf([symlink('x', victim), file('x', 'mine')]));
    assert.equal(readFileSync(victim, 'utf8'), 'untouched');
    assert.equal(readFileSync(join(layer.directory, 'x'), 'utf8'), 'mine');
  });

  test("overlay's own attributes do not come in", async t => {
    const storage = await temporaryStorage(t);
    const xattrs = new Map([
      ['trusted.overlay.redirect', Buffer.from('/elsewhere')],
      ['user.overlay.opaque', Buffer.from('y')],
      ['trusted.mine', Buffer.from([0, 255])],
    ]);
    const layer = await applyTar(storage, await tarOf([directory('d', { xattrs })]));
    assert.equal(lgetxattr(join(layer.directory, 'd'), 'trusted.overlay.redirect'), undefined);
    assert.deepEqual(lgetxattr(join(layer.directory, 'd'), 'trusted.mine'), Buffer.from([0, 255]));
  });

  test('bombs are stopped', async t => {
    const folder = temporaryFolder(t);
    const workers = new WorkerPool();
    t.after(() => workers.close());
    const unpack = async (
      entries: Parameters<typeof tarOf>[0],
      limits: { entries: number; bytes: number },
    ) => {
      writeFileSync(join(folder, 'bomb'), gzipSync(await tarOf(entries)));
      mkdirSync(join(folder, 'target'), { recursive: true });
      return workers.run('applyLayer', {
        file: join(folder, 'bomb'),
        pastCache: false,
        target: join(folder, 'target'),
        lower: [],
        limits,
      });
    };
    const many = Array.from({ length: 101 }, (_, n) => file(`f${n}`, ''));
    await assert.rejects(unpack(many, { entries: 100, bytes: 1e9 }), {
      kind: 'invalid',
      message: /more than 100 entries/,
    });
    writeFileSync(join(folder, 'bomb'), gzipSync(Buffer.alloc(20 << 20)));
    await assert.rejects(
      workers.run('applyLayer', {
        file: join(folder, 'bomb'),
        pastCache: false,
        target: join(folder, 'target'),
        lower: [],
        limits: { entries: 100, bytes: 1e9 },
      }),
      { kind: 'invalid', message: /too much after the end/ },
    );
    const big = [file('zeros', Buffer.alloc(5 << 20))];
    await assert.rejects(unpack(big, { entries: 100, bytes: 4 << 20 }), {
      kind: 'invalid',
      message: /more than 4194304 bytes/,
    });
  });

  test('a sparse file of exabytes is an error, not a crash', async t => {
    const storage = await temporaryStorage(t);
    const tar = await tarOf([file('x', '', { size: 0 })]);
    // Type S with a real size of 2^62 bytes and no data.
    tar.write('S', 156, 'latin1');
    tar[483] = 0x80;
    tar.writeBigUInt64BE(1n << 52n, 487);
    tar.fill(0, 495, 500);
    fixChecksum(tar);
    await assert.rejects(applyTar(storage, tar), error => ['invalid', 'exhausted'].includes(kindOf(error)));
  });

  test('a commit finds only what the container wrote', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    await storage.snapshots.create('s', undefined, { mountPoints: false });
    const root = storage.snapshots.mount('s');
    symlinkSync('/etc', join(root, 'etc'));
    const layer = await storage.snapshots.commit('s', { owner: 'test', keep: true });
    assert.deepEqual(readdirSync(layer.directory), ['etc']);
    assert.equal(
      existsSync(join(layer.directory, 'etc/hostname')),
      true,
      'read from outside it leads to the host',
    );
    assert.equal(lstatSync(join(layer.directory, 'etc')).isSymbolicLink(), true);
  });

  test('a directory copied straight into a layer is what copying into an overlay makes', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const root = join(folder, 'files');
    const below = [
      directory('usr', { mode: 0o755 }),
      directory('usr/src', { mode: 0o711, uid: 7 }),
      file('usr/f'),
    ];
    const base = await applyTar(storage, await tarOf(below));
    const { chainId: parent } = await applyTar(storage, await tarOf([directory('old'), file('old/.wh.f')]), {
      parent: (await applyTar(storage, await tarOf([file('old/f')]), { parent: base.chainId })).chainId,
    });
    mkdirSync(join(root, 'sub/deep'), { recursive: true });
    writeFileSync(join(root, 'a'), 'aa', { mode: 0o4755 });
    chmodSync(join(root, 'a'), 0o4755);
    linkSync(join(root, 'a'), join(root, 'sub/b'));
    writeFileSync(join(root, 'sub/deep/large'), randomBytes(600_001));
    writeFileSync(join(root, 'empty'), '');
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x61, 0xff])]), 'no UTF-8');
    symlinkSync('/usr/f', join(root, 'link'));
    chmodSync(join(root, 'sub'), 0o1770);
    lsetxattr(join(root, 'empty'), 'user.x', Buffer.from('y'));
    const times = { epochMs: 1_700_000_000_000, change: 'all' as const };
    const owners = [
      { uid: 0, gid: 0 },
      { uid: 5, gid: 6 },
    ];
    const ways = ['/app', '/usr/src', '/usr/src/new/dir', '/old'];
    const cases = [
      ...ways.flatMap(destination => owners.map(owner => ({ destination, owner }))),
      { destination: '/app', owner: owners[0]!, only: ['a', 'sub', 'sub/b'] },
      { destination: '/app', owner: owners[0]!, permissions: 0o640 },
    ];
    for (const [index, one] of [...cases, ...cases].entries()) {
      const id = `s${index}`;
      const shared = index >= cases.length;
      const options = { parent, owner: id, shared, signal: new AbortController().signal };
      const copied = await storage.layers.copy({ root, path: '/', times, ...one }, options);
      await storage.snapshots.create(id, parent, { mountPoints: false });
      const [from, target] = [
        await storage.confine(root),
        await storage.confine(storage.snapshots.mount(id)),
      ];
      const { destination, owner } = one;
      await target.makeDirectory(destination, { owner });
      await target.copyTree({ ...one, from, source: '/' });
      await Promise.all([from.close(), target.close()]);
      storage.snapshots.unmount(id);
      const { diffId } = await storage.snapshots.commit(id, { owner: id, times });
      assert.equal(copied?.diffId, diffId, `${destination} ${owner.uid}`);
      assert.equal(digestOf(await bytesOf(storage.layers.tar(copied.chainId))), diffId);
      await storage.snapshots.remove(id);
      storage.layers.dereference(id);
      await storage.layers.removeUnreferenced();
    }
  });

  test('two workers make the same layer as one', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const root = join(folder, 'many');
    for (let number = 0; number < 60; number++) {
      mkdirSync(join(root, `d${number}/e`), { recursive: true });
      writeFileSync(join(root, `f${number}`), `${number}`);
      for (let inner = 0; inner < 10; inner++)
        writeFileSync(join(root, `d${number}/e/f${inner}`), `${inner}`);
      symlinkSync('e/f1', join(root, `d${number}/link`));
    }
    const files = { root, path: '/', destination: '/app', owner: { uid: 1, gid: 0 } };
    const times = { epochMs: 1_700_000_000_000, change: 'all' as const };
    const made: (string | undefined)[] = [];
    for (const shared of [true, false, true, true]) {
      const options = { parent: undefined, owner: 'test', shared, signal: new AbortController().signal };
      const layer = await storage.layers.copy({ ...files, times }, options);
      made.push(layer?.diffId);
      assert.equal(digestOf(await bytesOf(storage.layers.tar(layer!.chainId))), layer!.diffId);
      storage.layers.dereference('test');
      await storage.layers.removeUnreferenced();
    }
    assert.deepEqual(made, Array(4).fill(made[0]));
  });

  test('what takes an overlay is not copied straight into a layer', async t => {
    const folder = temporaryFolder(t);
    const storage = await temporaryStorage(t, folder);
    const root = join(folder, 'files');
    mkdirSync(join(root, 'handing-on'), { recursive: true });
    mkdirSync(join(root, 'plain/sub'), { recursive: true });
    chmodSync(join(root, 'handing-on'), 0o2755);
    const entries = [
      symlink('link', 'etc'),
      directory('etc'),
      file('etc/f'),
      directory('group', { mode: 0o2775 }),
    ];
    const { chainId: parent } = await applyTar(storage, await tarOf(entries));
    const copy = (path: string, destination: string) =>
      storage.layers.copy(
        { root, path, destination, owner: { uid: 0, gid: 0 } },
        { parent, owner: 'test', signal: new AbortController().signal },
      );
    for (const destination of ['/', '/etc', '/etc/f/x', '/link/x', '/group'])
      assert.equal(await copy('/plain', destination), undefined, destination);
    assert.equal(await copy('/', '/new'), undefined);
    assert.equal(readdirSync(storage.paths.layers).length, 1);
    assert.deepEqual(readdirSync((await copy('/plain', '/etc/new'))!.directory), ['etc']);
  });

  test('errors name the entry', async t => {
    const storage = await temporaryStorage(t);
    const applying = storage.layers.apply({ source: Readable.from([await tarOf([file('../evil')])]) });
    await assert.rejects(applying, /unpacking "\.\.\/evil": .*outside/);
  });
});

function fixChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

/** A layer by a blob that comes in pieces, of which some are there before all of it is. */
async function applyArriving(
  storage: Storage,
  pieces: readonly Buffer[],
  tar: Buffer,
  parent?: Digest,
): Promise<{ layer: Layer; early: EarlyLayer }> {
  const arrival = new Arrival();
  const whole = Buffer.concat(pieces);
  const blob = digestOf(whole);
  const ingest = await storage.blobs.ingest({ digest: blob, size: whole.length, arrival });
  const { path, pastCache } = ingest;
  const early = storage.layers.unpackEarly(blob, { path, pastCache, arrival: arrival.shared });
  assert.ok(early);
  for (const piece of pieces) await ingest.write(piece);
  await ingest.commit();
  const source = { blob, mediaType: mediaTypes.ociLayerGzip, early };
  const layer = await storage.layers.apply({ parent, diffId: digestOf(tar), source });
  await early.discard();
  return { layer, early };
}
