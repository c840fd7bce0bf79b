import assert from 'node:assert/strict';
import {
  existsSync,
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
import { listMounts, mount } from '../../src/linux/mount.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { kindOf, messageOf } from '../../src/stdx/errors.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { applyTar, bytesOf, file, tarOf, temporaryFolder, temporaryStorage } from './storage-fixture.ts';

suite('the data-root', () => {
  test('has one daemon', async t => {
    const folder = temporaryFolder(t);
    const first = await temporaryStorage(t, folder);
    const options = { dataRoot: first.paths.dataRoot, execRoot: first.paths.execRoot, log: silentLog };
    await assert.rejects(openStorage(options), {
      kind: 'conflict',
      message: `a gantryd (pid ${process.pid}) is already using ${first.paths.dataRoot}`,
    });
    await first.close();
    const second = await temporaryStorage(t, folder);
    assert.equal(second.id, first.id);
  });

  // The kernel names mount points without symbolic links, and what a killed daemon left is found by its name.
  test('may be behind a symbolic link', async t => {
    const folder = temporaryFolder(t);
    for (const name of ['data', 'exec']) {
      mkdirSync(join(folder, 'real', name), { recursive: true });
      symlinkSync(join(folder, 'real', name), join(folder, name));
    }
    const options = { dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec'), log: silentLog };
    const first = await openStorage(options);
    assert.equal(first.paths.dataRoot, join(folder, 'real/data'));
    const view = join(folder, 'exec/mapped/views/1');
    mkdirSync(view, { recursive: true });
    mount({ source: 'tmpfs', target: view, type: 'tmpfs' });
    await first.close();
    const second = await openStorage(options);
    t.after(() => second.close());
    assert.deepEqual(listMounts(join(folder, 'real')), []);
    assert.equal(existsSync(join(folder, 'exec/mapped')), false);
  });

  test('keeps others out', async t => {
    const { paths } = await temporaryStorage(t);
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
    assert.deepEqual(
      [modeOf(paths.dataRoot), modeOf(paths.blobs), modeOf(paths.snapshots)],
      ['710', '700', '711'],
    );
  });

  test('starts with a corrupt database, keeping volumes and what the old one spoke of', async t => {
    const folder = temporaryFolder(t);
    const first = await temporaryStorage(t, folder);
    await first.volumes.create({ name: 'data' });
    writeFileSync(join(first.volumes.pathOf('data'), 'x'), 'precious');
    await applyTar(first, await tarOf([file('a')]));
    await first.close();
    writeFileSync(first.paths.database, Buffer.alloc(8192, 'no database'));
    const logged: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void logged.push(message) };
    const second = await openStorage({ dataRoot: first.paths.dataRoot, execRoot: first.paths.execRoot, log });
    t.after(() => second.close());
    assert.match(logged[0]!, /database is corrupt; it was moved to .*quarantine/);
    assert.equal(readFileSync(join(second.volumes.pathOf('data'), 'x'), 'utf8'), 'precious');
    assert.deepEqual(second.layers.list(), []);
    assert.equal(
      readdirSync(second.paths.quarantine).some(name => name.startsWith('layers-')),
      true,
    );
  });

  test('a full disk is an error that says what to do, and breaks nothing', async t => {
    const folder = temporaryFolder(t, { sizeBytes: 16 << 20 });
    const storage = await temporaryStorage(t, folder);
    const small = await applyTar(storage, await tarOf([file('a', 'x'.repeat(1000))]));
    const big = await tarOf(Array.from({ length: 8 }, (_, n) => file(`f${n}`, Buffer.alloc(1 << 20, n + 1))));
    const isFull = (error: unknown) => {
      assert.equal(kindOf(error), 'exhausted', messageOf(error));
      assert.match(
        messageOf(error),
        /no space left on device: free some, for example with "docker system prune"/,
      );
      return true;
    };
    await assert.rejects(storage.layers.apply({ source: Readable.from([big]) }), isFull);
    assert.deepEqual(readdirSync(storage.paths.ingest), []);
    // The blob fits, what it unpacks to does not.
    const { zstdCompressSync } = await import('node:zlib');
    await assert.rejects(storage.layers.apply({ source: Readable.from([zstdCompressSync(big)]) }), isFull);
    await storage.snapshots.create('s', small.chainId);
    assert.throws(() => writeFileSync(join(storage.snapshots.mount('s'), 'big'), big), { code: 'ENOSPC' });
    const outcome = await storage.snapshots
      .commit('s', { owner: 'test', keep: true })
      .catch(error => isFull(error));
    assert.equal(outcome, true);
    await storage.snapshots.remove('s');
    assert.deepEqual(
      readdirSync(storage.paths.layers).filter(name => name.startsWith('new-')),
      [],
    );
    assert.equal(digestOf(await bytesOf(storage.layers.tar(small.chainId))), small.diffId);
    await storage.blobs.removeUnreferenced();
    await applyTar(storage, await tarOf([file('b', Buffer.alloc(1 << 19))]));
  });

  test('what was begun is not there after a start', async t => {
    const folder = temporaryFolder(t);
    const first = await temporaryStorage(t, folder);
    const { paths } = first;
    await first.volumes.create({ name: 'kept' });
    for (const name of ['new-7', '8', '9-init'])
      mkdirSync(join(paths.layers, name, 'x'), { recursive: true });
    first.database.prepare("update volumes set state = 'removing' where name = 'kept'").run();
    writeFileSync(join(paths.ingest, 'unique-1.part'), 'x');
    const kept = await first.blobs.ingest({ key: 'pull' });
    await kept.write(Buffer.from('abc'));
    await kept.abort({ keep: true });
    await first.close();
    const second = await temporaryStorage(t, folder);
    assert.deepEqual(readdirSync(paths.layers), []);
    assert.equal(second.volumes.find('kept'), undefined);
    assert.equal(existsSync(paths.volume('kept')), false);
    const resumed = await second.blobs.ingest({ key: 'pull', digest: digestOf('abcdef'), size: 6 });
    assert.equal(resumed.offset, 3);
    await resumed.write(Buffer.from('def'));
    await resumed.commit();
    assert.deepEqual(readdirSync(paths.ingest), []);
    assert.equal((await second.blobs.read(digestOf('abcdef'))).toString(), 'abcdef');
  });
});
