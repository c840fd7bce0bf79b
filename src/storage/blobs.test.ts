import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { silentLog } from '../stdx/log.ts';
import { BlobStore } from './blobs.ts';
import { Database } from './database.ts';
import { storagePaths } from './paths.ts';

function storeFor(t: TestContext): { blobs: BlobStore; paths: ReturnType<typeof storagePaths> } {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-blobs-'));
  const paths = storagePaths(folder, folder);
  const database = Database.open(paths.database);
  t.after(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });
  return { blobs: new BlobStore({ database, paths, log: silentLog }), paths };
}

const hello = Buffer.from('hello');
const turn = () => new Promise(resolve => setImmediate(resolve));

suite('blobs', () => {
  test('are there when they are right', async t => {
    const { blobs } = storeFor(t);
    const ingest = await blobs.ingest({ digest: digestOf(hello), size: 5 });
    await ingest.write(hello.subarray(0, 2));
    assert.equal(blobs.has(digestOf(hello)), false);
    await ingest.write(hello.subarray(2));
    assert.deepEqual(await ingest.commit(), { digest: digestOf(hello), size: 5 });
    await ingest.abort({ keep: false });
    assert.deepEqual(await blobs.read(digestOf(hello)), hello);
    const part: Buffer[] = [];
    for await (const chunk of blobs.stream(digestOf(hello), { start: 1, end: 3 })) part.push(chunk);
    assert.equal(Buffer.concat(part).toString(), 'ell');
    await assert.rejects(blobs.read(digestOf('other')), { kind: 'notFound' });
    await assert.rejects(blobs.read(digestOf(hello), 4), { kind: 'invalid' });
  });

  test('are not there when they are not', async t => {
    const { blobs, paths } = storeFor(t);
    const wrong = await blobs.ingest({ digest: digestOf('something else') });
    await wrong.write(hello);
    await assert.rejects(wrong.commit(), { kind: 'corrupt' });
    const short = await blobs.ingest({ digest: digestOf(hello), size: 5 });
    await short.write(hello.subarray(0, 3));
    await assert.rejects(short.commit(), { kind: 'corrupt', message: /got 3 bytes where 5/ });
    const long = await blobs.ingest({ size: 3 });
    await assert.rejects(long.write(hello), { kind: 'corrupt' });
    await long.abort({ keep: false });
    assert.deepEqual(blobs.list(), []);
    assert.deepEqual(readdirSync(paths.ingest), []);
  });

  test('are received by one at a time, and go on where they stopped', async t => {
    const { blobs } = storeFor(t);
    const key = 'layer:sha256:a/b?';
    const first = await blobs.ingest({ key });
    await assert.rejects(blobs.ingest({ key }), { kind: 'conflict' });
    await first.write(hello.subarray(0, 2));
    await first.abort({ keep: true });
    const second = await blobs.ingest({ key, digest: digestOf(hello) });
    assert.equal(second.offset, 2);
    await second.write(hello.subarray(second.offset));
    await second.commit();
    const third = await blobs.ingest({ key });
    await third.write(Buffer.alloc(100));
    await third.abort({ keep: true });
    const fourth = await blobs.ingest({ key, size: 5 });
    assert.equal(fourth.offset, 0, 'more than there can be is no beginning of it');
    await fourth.abort({ keep: false });
  });

  test('stay as long as somebody needs them', async t => {
    const { blobs } = storeFor(t);
    const { digest } = await blobs.write(hello, 'image:1');
    await turn();
    blobs.reference('image:2', digest);
    blobs.reference('image:2', digest);
    blobs.dereference('image:1');
    assert.deepEqual((await blobs.removeUnreferenced()).removed, []);
    blobs.dereference('image:2', digest);
    const release = blobs.hold(digest);
    assert.deepEqual((await blobs.removeUnreferenced()).removed, []);
    release();
    await turn();
    assert.deepEqual(await blobs.removeUnreferenced(), { removed: [digest], reclaimedBytes: 5 });
  });

  test('are looked through only when one may have lost its last owner', async t => {
    const { blobs, paths } = storeFor(t);
    const [{ digest }, other] = [
      await blobs.write(hello, 'image:1'),
      await blobs.write(Buffer.from('1'), 'image:2'),
    ];
    blobs.reference('lease', digest);
    await turn();
    await blobs.removeUnreferenced();
    const list = t.mock.method(blobs, 'list');
    blobs.dereference('lease');
    blobs.dereference('nobody');
    blobs.hold(digest)();
    await blobs.removeUnreferenced();
    assert.equal(list.mock.callCount(), 0);
    const release = blobs.hold(other.digest);
    blobs.dereference('image:2');
    assert.deepEqual((await blobs.removeUnreferenced()).removed, []);
    release();
    await turn();
    assert.deepEqual((await blobs.removeUnreferenced()).removed, [other.digest]);
    // Another run finds what this one left.
    const { digest: left } = await blobs.write(Buffer.from('left'));
    await turn();
    const database = Database.open(paths.database);
    const reopened = new BlobStore({ database, paths, log: silentLog });
    assert.deepEqual((await reopened.removeUnreferenced()).removed, [left]);
    database.close();
  });

  test('are protected while they arrive', async t => {
    const { blobs } = storeFor(t);
    const { digest } = await blobs.write(hello);
    await turn();
    const again = await blobs.ingest({ digest, key: 'again' });
    assert.deepEqual((await blobs.removeUnreferenced()).removed, []);
    await again.abort({ keep: false });
  });

  test('damaged ones are moved away', async t => {
    const { blobs, paths } = storeFor(t);
    const { digest } = await blobs.write(hello);
    writeFileSync(blobs.pathOf(digest), 'jello');
    await assert.rejects(blobs.read(digest), { kind: 'corrupt' });
    assert.equal(blobs.has(digest), false);
    assert.equal(existsSync(paths.quarantine), true);
  });
});
