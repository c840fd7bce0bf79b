import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { lgetxattr, lsetxattr } from '../../src/linux/files.ts';
import { isMountPoint, mount, unmount } from '../../src/linux/mount.ts';
import { ConfinedRoot } from '../../src/storage/confined.ts';
import { WorkerPool } from '../../src/storage/worker-pool.ts';
import {
  bytesOf,
  directory,
  file,
  hardlink,
  listTar,
  symlink,
  tarOf,
  temporaryFolder,
} from './storage-fixture.ts';

async function confined(
  t: TestContext,
  workers = poolFor(t),
): Promise<{ root: ConfinedRoot; folder: string; outside: string; workers: WorkerPool }> {
  const top = temporaryFolder(t);
  const [folder, outside] = [join(top, 'root'), join(top, 'outside')];
  mkdirSync(folder);
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  const root = await ConfinedRoot.open(folder, workers);
  t.after(() => root.close());
  return { root, folder, outside, workers };
}

function poolFor(t: TestContext): WorkerPool {
  const workers = new WorkerPool();
  t.after(() => workers.close());
  return workers;
}

suite('a confined root', () => {
  test('files that come into being when they are read are in archives as they read', async t => {
    const root = await ConfinedRoot.open('/', poolFor(t));
    t.after(() => root.close());
    // Said to be empty, and to be as long as a page.
    for (const path of ['/proc/version', '/sys/devices/system/cpu/online']) {
      const tar = await bytesOf(root.readTar(path));
      const content = readFileSync(path);
      assert.equal(
        tar.subarray(512, 512 + content.length + 1).toString('latin1'),
        `${content.toString('latin1')}\0`,
      );
    }
  });

  test('stat tells what docker cp wants to know', async t => {
    const { root, folder } = await confined(t);
    mkdirSync(join(folder, 'usr/lib'), { recursive: true });
    writeFileSync(join(folder, 'usr/lib/a'), '12345', { mode: 0o755 });
    symlinkSync('/usr/lib', join(folder, 'lib'));
    symlinkSync('../../../lib/a', join(folder, 'usr/lib/b'));
    const a = await root.stat('/lib/a');
    assert.deepEqual([a?.name, a?.type, a?.size, a?.mode, a?.linkTarget], ['a', 'file', 5, 0o755, '']);
    const b = await root.stat('/usr/lib/b');
    assert.deepEqual([b?.type, b?.linkTarget], ['symlink', '/usr/lib/a']);
    assert.equal((await root.stat('/lib', { follow: true }))?.type, 'directory');
    assert.equal((await root.stat('/usr'))!.mode, (0o20000000755 % 2 ** 31) + 2 ** 31);
    assert.equal((await root.stat('/'))?.name, '/');
    assert.equal(await root.stat('/nothing'), undefined);
    assert.equal(await root.stat('/usr/lib/a/x'), undefined);
  });

  test('no path and no link leads outside', async t => {
    const { root, folder, outside } = await confined(t);
    symlinkSync(outside, join(folder, 'absolute'));
    symlinkSync('../outside', join(folder, 'relative'));
    for (const path of ['/absolute/secret', '/relative/secret', '/../outside/secret', `${outside}/secret`]) {
      assert.equal(await root.stat(path, { follow: true }), undefined, path);
      assert.equal(await root.readFile(path), undefined, path);
    }
    assert.equal(await root.resolve('/relative/x'), '/outside/x');
    await root.makeDirectory('/relative/made');
    assert.deepEqual(readdirSync(outside), ['secret']);
    await root
      .unpackTar('/', Readable.from([await tarOf([file('absolute/planted'), symlink('absolute', '/x')])]))
      .catch(() => {});
    assert.deepEqual(readdirSync(outside), ['secret']);
  });

  test('a fifo does not hold up readers', async t => {
    const { root, folder } = await confined(t);
    await root.unpackTar('/', Readable.from([await tarOf([{ name: 'pipe', type: 'fifo' }])]));
    assert.equal(statSync(join(folder, 'pipe')).isFIFO(), true);
    await assert.rejects(root.readFile('/pipe'), { kind: 'invalid' });
    await assert.rejects(root.readFile('/'), { kind: 'invalid' });
  });

  test('a tar of it names the top as asked', async t => {
    const { root, folder } = await confined(t);
    mkdirSync(join(folder, 'd/e'), { recursive: true });
    writeFileSync(join(folder, 'd/f'), 'F');
    linkSync(join(folder, 'd/f'), join(folder, 'd/g'));
    symlinkSync('f', join(folder, 'd/h'));
    assert.deepEqual(await listTar(root.readTar('/d')), ['d/', 'd/e/', 'd/f=F', 'd/g->d/f', 'd/h->f']);
    assert.deepEqual(await listTar(root.readTar('/d', { rename: 'x' })), [
      'x/',
      'x/e/',
      'x/f=F',
      'x/g->x/f',
      'x/h->f',
    ]);
    assert.deepEqual(await listTar(root.readTar('/d', { rename: '' })), ['e/', 'f=F', 'g->f', 'h->f']);
    assert.deepEqual(await listTar(root.readTar('/d/h')), ['h->f']);
    assert.deepEqual(await listTar(root.readTar('/d/h', { follow: true })), ['h=F']);
    assert.deepEqual(await listTar(root.readTar('/d', { rename: '', only: ['e', 'f'] })), ['e/', 'f=F']);
    await assert.rejects(bytesOf(root.readTar('/nothing')), { kind: 'notFound' });
  });

  test('unpacking follows the rules of docker cp', async t => {
    const { root, folder } = await confined(t);
    mkdirSync(join(folder, 'd/sub'), { recursive: true });
    writeFileSync(join(folder, 'd/file'), 'old');
    const put = async (entries: Parameters<typeof tarOf>[0], options = {}) =>
      root.unpackTar('/d', Readable.from([gzipSync(await tarOf(entries))]), {
        noOverwriteDirNonDir: true,
        ...options,
      });
    await assert.rejects(put([file('sub')]), {
      kind: 'invalid',
      message: 'cannot overwrite directory "/d/sub" with non-directory "/d"',
    });
    await assert.rejects(put([directory('file')]), {
      kind: 'invalid',
      message: 'cannot overwrite non-directory "/d/file" with directory "/d"',
    });
    await assert.rejects(put([file('../up')]), { kind: 'invalid' });
    await put(
      [
        file('file', 'new'),
        directory('sub', { mode: 0o700 }),
        hardlink('sub/link', 'file'),
        file('new/deep'),
      ],
      { owner: { uid: 7, gid: 8 } },
    );
    assert.equal(readFileSync(join(folder, 'd/sub/link'), 'utf8'), 'new');
    const sub = statSync(join(folder, 'd/sub'));
    assert.deepEqual([sub.mode & 0o777, sub.uid, sub.gid], [0o700, 7, 8]);
    await put([file('sub', 'now a file')], { noOverwriteDirNonDir: false });
    assert.equal(readFileSync(join(folder, 'd/sub'), 'utf8'), 'now a file');
    await assert.rejects(put([{ name: 'null', type: 'char' }], { allowDevices: false }), { kind: 'invalid' });
    await assert.rejects(root.unpackTar('/d', Readable.from([Buffer.from('this is no tar archive')])), {
      kind: 'invalid',
    });
    await assert.rejects(root.unpackTar('/d', failing()), /the caller went away/);
  });

  test('copies between roots keep what a file is', async t => {
    const { root: from, folder: source, workers } = await confined(t);
    const { root: to, folder: target, outside } = await confined(t, workers);
    mkdirSync(join(source, 'app/sub'), { recursive: true });
    writeFileSync(join(source, 'app/a'), 'A', { mode: 0o4755 });
    linkSync(join(source, 'app/a'), join(source, 'app/b'));
    symlinkSync('/etc/passwd', join(source, 'app/sub/link'));
    lsetxattr(join(source, 'app/a'), 'trusted.x', Buffer.from([1, 0, 255]));
    utimesSync(join(source, 'app/a'), 1.5, 1.25);
    symlinkSync(outside, join(target, 'out'));
    await to.copyTree({ from, source: '/app', destination: '/dest/' });
    const a = lstatSync(join(target, 'dest/a'));
    assert.deepEqual(
      [a.nlink, a.mtimeMs, lgetxattr(join(target, 'dest/a'), 'trusted.x')],
      [2, 1250, Buffer.from([1, 0, 255])],
    );
    assert.equal(readlinkSync(join(target, 'dest/sub/link')), '/etc/passwd');
    await to.copyTree({
      from,
      source: '/app/a',
      destination: '/one/renamed',
      owner: { uid: 1, gid: 2 },
      permissions: 0o600,
    });
    const renamed = statSync(join(target, 'one/renamed'));
    assert.deepEqual([renamed.mode & 0o7777, renamed.uid, statSync(join(target, 'one')).gid], [0o600, 1, 2]);
    await to.copyTree({ from, source: '/app/a', destination: '/one/' });
    await to.copyTree({ from, source: '/app', destination: '/picked', only: ['sub', 'sub/link'] });
    await to.copyTree({ from, source: '/app', destination: '/out' });
    assert.deepEqual(readdirSync(join(target, 'one')).sort(), ['a', 'renamed']);
    assert.deepEqual(readdirSync(join(target, 'picked'), { recursive: true }).sort(), ['sub', 'sub/link']);
    assert.deepEqual(readdirSync(outside), ['secret']);
    await assert.rejects(to.copyTree({ from, source: '/nothing', destination: '/x' }), { kind: 'notFound' });
  });

  test('a digest depends on the content and its attributes, never on times', async t => {
    const { root, folder } = await confined(t);
    mkdirSync(join(folder, 'd'));
    writeFileSync(join(folder, 'd/a'), 'A');
    symlinkSync('a', join(folder, 'd/l'));
    const before = await root.hashTree('/d');
    assert.deepEqual(
      before.entries().map(entry => [entry.path, entry.type]),
      [
        ['', 'directory'],
        ['a', 'file'],
        ['l', 'symlink'],
      ],
    );
    utimesSync(join(folder, 'd/a'), 1, 1);
    assert.equal((await root.hashTree('/d')).digest, before.digest);
    const file = await root.hashTree('/d', { only: ['a'] });
    assert.deepEqual(file.entries(), [before.entries()[1]]);
    const link = await root.hashTree('/d', { only: ['l'] });
    writeFileSync(join(folder, 'd/a'), 'B');
    assert.notEqual((await root.hashTree('/d')).digest, before.digest);
    assert.notEqual((await root.hashTree('/d', { only: ['a'] })).digest, file.digest);
    assert.equal((await root.hashTree('/d', { only: ['l'] })).digest, link.digest);
  });

  test("a process's root is left when it is closed", async t => {
    const folder = temporaryFolder(t);
    const workers = poolFor(t);
    mount({ source: 'tmpfs', target: folder, type: 'tmpfs' });
    writeFileSync(join(folder, 'here'), '');
    const child = spawn('sleep', ['1000']);
    t.after(() => child.kill());
    const byProcess = await ConfinedRoot.open(`/proc/${child.pid}/root`, workers);
    assert.equal((await byProcess.stat(`${folder}/here`))?.type, 'file');
    await byProcess.close();
    const root = await ConfinedRoot.open(folder, workers);
    assert.throws(() => unmount(folder), { code: 'EBUSY' });
    await root.close();
    unmount(folder);
    assert.equal(isMountPoint(folder) && readdirSync(folder).includes('here'), false);
  });

  test('three workers wait for more to do, for minutes; others for seconds', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const workers = poolFor(t);
    const taken = [1, 2, 3, 4].map(() => workers.take());
    for (const worker of taken) await workers.give(worker);
    t.mock.timers.tick(10_000);
    const again = [1, 2, 3, 4].map(() => workers.take());
    assert.deepEqual(
      again.map(worker => taken.indexOf(worker)),
      [3, 2, 1, -1],
    );
    for (const worker of again) await workers.give(worker);
    t.mock.timers.tick(5 * 60_000);
    assert.equal(again.includes(workers.take()), false);
  });

  test('closing ends what still runs, and the next one gets a worker at the host', async t => {
    const { root, folder, workers } = await confined(t);
    writeFileSync(join(folder, 'big'), Buffer.alloc(20 << 20));
    const tar = root.readTar('/');
    for await (const _ of tar) break;
    const never = new Readable({ read() {} });
    const unpacking = root.unpackTar('/', never);
    unpacking.catch(() => {});
    never.push(await tarOf([file('a')]));
    await root.close();
    await assert.rejects(unpacking, { kind: 'cancelled' });
    const next = await ConfinedRoot.open(folder, workers);
    assert.equal((await next.stat('/big'))?.size, 20 << 20);
    await next.close();
    await assert.rejects(ConfinedRoot.open(join(folder, 'nothing'), workers), { code: 'ENOENT' });
  });
});

function failing(): Readable {
  return Readable.from(
    (async function* () {
      yield Buffer.alloc(100);
      throw new Error('the caller went away');
    })(),
  );
}
