import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { projectUsage } from '../../src/linux/project-quota.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { runOrThrow, runProgram } from '../support/run-program.ts';
import { settled } from '../support/settled.ts';
import { temporaryFolder, temporaryStorage } from './storage-fixture.ts';

/** Whether the kernel must have quotas: test/disks runs this under one that has. */
const isOnSuchKernel = process.env['GANTRY_TEST_QUOTAS'] !== undefined;

const fileSystems = {
  ext4: ['mkfs.ext4', '-q', '-O', 'quota,project', '-E', 'quotatype=prjquota'],
  ...(isOnSuchKernel && { xfs: ['mkfs.xfs', '-q'] }),
};

suite('copies of volumes', () => {
  test('a snapshot is restored whole: content, owner, links, and nothing of what came after', async t => {
    const { volumes, paths } = await temporaryStorage(t);
    const options = { uid: '1000', gid: '1001', mode: '2750' };
    const { mountpoint } = await volumes.create({ name: 'data', options });
    const shape = () => [
      statSync(mountpoint).uid,
      statSync(mountpoint).gid,
      statSync(mountpoint).mode & 0o7777,
    ];
    assert.deepEqual(shape(), [1000, 1001, 0o2750]);
    writeFileSync(join(mountpoint, 'kept'), 'before');
    symlinkSync('/etc/passwd', join(mountpoint, 'link'));
    await volumes.snapshot('data', 'first');
    await assert.rejects(volumes.snapshot('data', 'first'), { kind: 'conflict' });
    await assert.rejects(volumes.snapshot('data', '../out'), { kind: 'invalid' });
    writeFileSync(join(mountpoint, 'kept'), 'after');
    writeFileSync(join(mountpoint, 'new'), '');
    await volumes.mount('data', 'c1');
    await assert.rejects(volumes.restore('data', 'first'), { kind: 'conflict' });
    await volumes.unmount('data', 'c1');
    await volumes.restore('data', 'first');
    assert.deepEqual(readdirSync(mountpoint).sort(), ['kept', 'link']);
    assert.equal(readFileSync(join(mountpoint, 'kept'), 'utf8'), 'before');
    assert.equal(lstatSync(join(mountpoint, 'link')).isSymbolicLink(), true);
    assert.deepEqual(shape(), [1000, 1001, 0o2750]);
    assert.deepEqual(
      volumes.snapshots('data').map(({ name }) => name),
      ['first'],
    );
    await assert.rejects(volumes.restore('data', 'nosuch'), { kind: 'notFound' });
    await volumes.removeSnapshot('data', 'first');
    assert.deepEqual(volumes.snapshots('data'), []);
    assert.deepEqual(readdirSync(paths.volume('data')).sort(), ['_data', 'snapshots']);
  });

  test('it is renamed with its snapshots; a new one of the old name has nothing of it', async t => {
    const { volumes, paths } = await temporaryStorage(t);
    const { mountpoint } = await volumes.create({ name: 'old', labels: { a: 'b' } });
    writeFileSync(join(mountpoint, 'x'), 'x');
    await volumes.snapshot('old', 'first');
    await volumes.create({ name: 'taken' });
    await assert.rejects(
      volumes.rename('old', 'taken', () => {}),
      { kind: 'conflict' },
    );
    await assert.rejects(
      volumes.rename('old', 'bad/name', () => {}),
      { kind: 'invalid' },
    );
    await assert.rejects(
      volumes.rename('old', 'new', () => {
        throw new Error('a row cannot be written');
      }),
    );
    assert.equal(volumes.find('old')?.name, 'old');
    await volumes.rename('old', 'new', () => {});
    assert.deepEqual([volumes.find('old'), volumes.get('new').labels], [undefined, { a: 'b' }]);
    assert.deepEqual(volumes.snapshots('new').length, 1);
    assert.equal(readFileSync(join(paths.volumeData('new'), 'x'), 'utf8'), 'x');
    assert.deepEqual(readdirSync((await volumes.create({ name: 'old' })).mountpoint), []);
  });

  test('what a killed daemon left of them is finished or undone', async t => {
    const folder = temporaryFolder(t);
    const first = await temporaryStorage(t, folder);
    const { volumes, paths, database } = first;
    for (const name of ['halfway', 'swapped', 'renamed', 'snapped']) {
      writeFileSync(join((await volumes.create({ name })).mountpoint, 'x'), name);
    }
    // A restore between its two renames, one after them, a rename whose directory was not moved, a half snapshot.
    renameSync(paths.volumeData('halfway'), paths.volumeParts('halfway').replaced);
    mkdirSync(paths.volumeParts('halfway').restored);
    mkdirSync(paths.volumeParts('swapped').replaced);
    mkdirSync(join(paths.volumeParts('snapped').snapshots, '.new/_data'), { recursive: true });
    database
      .prepare("update volumes set name = 'again', renamed_from = 'renamed' where name = 'renamed'")
      .run();
    await first.close();
    const next = (await temporaryStorage(t, folder)).volumes;
    assert.deepEqual(
      next.list().map(({ name }) => name),
      ['again', 'halfway', 'snapped', 'swapped'],
    );
    for (const { name, mountpoint } of next.list()) {
      const expected = name === 'again' ? 'renamed' : name;
      assert.equal(readFileSync(join(mountpoint, 'x'), 'utf8'), expected);
      assert.deepEqual(
        readdirSync(paths.volume(name)).filter(entry => entry !== 'snapshots'),
        ['_data'],
      );
    }
    assert.deepEqual(next.snapshots('snapped'), []);
    assert.equal(existsSync(join(paths.volumeParts('snapped').snapshots, '.new')), false);
  });

  test('a volume that is filled and fails is not there', async t => {
    const { volumes, paths } = await temporaryStorage(t);
    const failing = volumes.createFilled({ name: 'bad' }, async directory => {
      writeFileSync(join(directory, 'x'), '');
      throw new Error('the source has gone');
    });
    await assert.rejects(failing, /create bad: the source has gone/);
    assert.deepEqual([volumes.find('bad'), existsSync(paths.volume('bad'))], [undefined, false]);
    await volumes.create({ name: 'there' });
    await assert.rejects(
      volumes.createFilled({ name: 'there' }, async () => {}),
      { kind: 'conflict' },
    );
  });

  test('options that cannot be are refused; a quota where the file system has none', async t => {
    const { volumes } = await temporaryStorage(t);
    const refused: [Record<string, string>, RegExp][] = [
      [{ uid: 'root' }, /^EngineError: create xx: invalid uid: "root"$/],
      [{ mode: '9' }, /invalid mode: "9"/],
      [{ size: 'much' }, /invalid size: 'much'/],
      [{ uid: '1', type: 'tmpfs', device: 'tmpfs' }, /conflicting options: uid is not for what/],
      [
        { size: '1m' },
        /create xx: quota size requested but no quota support: the data-root needs ext4 or xfs/,
      ],
    ];
    for (const [options, why] of refused) {
      await assert.rejects(volumes.create({ name: 'xx', options }), why);
      assert.equal(volumes.find('xx'), undefined);
    }
  });

  for (const [name, make] of Object.entries(fileSystems)) {
    test(`a quota of ${name} holds, also after a restore, and is given back; without it is refused`, async t => {
      const folder = temporaryFolder(t);
      const disk = join(folder, 'disk');
      const place = join(folder, 'place');
      mkdirSync(place);
      // Smaller than that mkfs.xfs makes none.
      await runOrThrow(['truncate', '-s', '320M', disk]);
      await runOrThrow([...make, disk]);
      const mounted = await runProgram(['mount', '-o', 'loop,prjquota', disk, place]);
      // CONFIG_QFMT_V2: Debian's kernels have it, some small ones do not.
      const hasQuotas = mounted.code === 0;
      if (isOnSuchKernel) assert.ok(hasQuotas, mounted.stderr);
      if (!hasQuotas) {
        await runOrThrow(['mkfs.ext4', '-q', '-F', disk]);
        await runOrThrow(['mount', '-o', 'loop', disk, place]);
      }
      const storage = await temporaryStorage(t, place);
      try {
        if (hasQuotas) await requireQuotas(storage);
        else
          await assert.rejects(
            storage.volumes.create({ name: 'small', options: { size: '2m' } }),
            /create small: quota size requested but no quota support/,
          );
      } finally {
        await storage.close();
        await runOrThrow(['umount', place]);
      }
    });
  }
});

async function requireQuotas(storage: Storage): Promise<void> {
  const { volumes } = storage;
  const { mountpoint } = await volumes.create({ name: 'small', options: { size: '2m' } });
  // As in a container: whoever has CAP_SYS_RESOURCE is let pass by the kernel.
  const fill = async (name: string, megabytes: number) => {
    const dd = ['dd', 'if=/dev/zero', `of=${join(mountpoint, name)}`, 'bs=1M', `count=${megabytes}`];
    return (await runProgram(['setpriv', '--bounding-set=-sys_resource', ...dd])).stderr;
  };
  assert.doesNotMatch(await fill('a', 1), /quota/);
  await volumes.snapshot('small', 'first');
  // ext4 says the one, xfs the other.
  const full = /Disk quota exceeded|No space left on device/;
  assert.match(await fill('b', 2), full);
  await volumes.restore('small', 'first');
  assert.deepEqual(readdirSync(mountpoint), ['a']);
  assert.match(await fill('b', 2), full);
  const other = await volumes.create({ name: 'other', options: { size: '4m' } });
  writeFileSync(join(other.mountpoint, 'a'), Buffer.alloc(3 << 20, 1));
  const project = 0x10_00_00;
  assert.ok(projectUsage(mountpoint, project) >= 1 << 20);
  assert.ok(projectUsage(mountpoint, project + 1) >= 3 << 20);
  await volumes.remove('small');
  // xfs gives the blocks back in the background.
  await settled(async () => assert.equal(projectUsage(other.mountpoint, project), 0));
}
