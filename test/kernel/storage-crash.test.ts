import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listMounts } from '../../src/linux/mount.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import { bytesOf, temporaryFolder } from './storage-fixture.ts';

const kills = 12;

test('killed anywhere, the storage comes up whole', async t => {
  const folder = temporaryFolder(t);
  const verified = new Set<string>();
  let roundMs = 0;
  for (let kill = 0; kill < kills; kill++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'storage-crash-child.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    const begun = performance.now();
    // The first shows how long a round takes here and now; the others are killed anywhere in it.
    if (kill === 0) await once(child.stdout, 'data');
    else await sleep(Math.random() * roundMs * 1.5);
    if (kill === 0) roundMs = performance.now() - begun;
    await killed(child);
    const storage = await openStorage({
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
      log: silentLog,
    });
    try {
      await storage.snapshots.reconcile(new Set());
      await expectWhole(storage, verified);
    } finally {
      await storage.close();
    }
  }
  assert.ok(verified.size > 0, 'no layer was ever finished, so nothing was tested');
});

async function killed(child: ChildProcess): Promise<void> {
  assert.equal(child.exitCode, null, 'it ended by itself');
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function expectWhole(storage: Storage, verified: Set<string>): Promise<void> {
  const { paths, layers, blobs, database } = storage;
  assert.deepEqual(
    listMounts(paths.dataRoot).filter(({ mountPoint }) => mountPoint !== paths.dataRoot),
    [],
  );
  assert.deepEqual(readdirSync(paths.snapshots), []);
  assert.deepEqual(storage.snapshots.list(), []);
  // A volume is there or not, never half.
  assert.deepEqual(
    readdirSync(paths.volumes),
    storage.volumes.list().map(volume => volume.name),
  );
  const directories = readdirSync(paths.layers).filter(name => !name.endsWith('-init'));
  assert.deepEqual(
    directories.sort(),
    layers
      .list()
      .map(layer => layer.directory.split('/').at(-1))
      .sort(),
  );
  assert.deepEqual(
    database.prepare("select * from layer_references where owner like 'snapshot:%'").all(),
    [],
  );
  assert.equal(database.prepare('pragma foreign_key_check').all().length, 0);
  for (const layer of layers.list()) {
    if (layer.blob !== undefined) assert.equal(blobs.sizeOf(layer.blob.digest), layer.blob.size);
    if (verified.has(layer.chainId)) continue;
    assert.equal(digestOf(await bytesOf(layers.tar(layer.chainId))), layer.diffId);
    verified.add(layer.chainId);
  }
  for (const { digest, size } of blobs.list()) assert.equal((await blobs.read(digest)).length, size);
}
