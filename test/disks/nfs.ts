import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { listMounts } from '../../src/linux/mount.ts';
import { temporaryFolder, temporaryStorage } from '../kernel/storage-fixture.ts';

/**
 * Run by `../support/guest.ts`, on a kernel that has NFS. The machine is its own server: the kernel's, of NFS 4 and,
 * with rpcbind, of NFS 3. It exports a folder of /dev/vda, as overlays are not exported; for NFS 4 it is the root.
 */
const exported = mkdtempSync(join(tmpdir(), 'exported-'));
const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

suite('volumes of an NFS server', () => {
  before(() => {
    run('modprobe', '-a', 'nfsd', 'nfs', 'nfsv3', 'nfsv4');
    mkdirSync(join(exported, 'deep'));
    writeFileSync(join(exported, 'deep', 'hello'), 'from the server');
    appendFileSync('/etc/exports', `${exported} *(rw,no_root_squash,no_subtree_check,insecure,fsid=0)\n`);
    appendFileSync('/etc/hosts', '127.0.0.1 files.test\n');
    mkdirSync('/run/sendsigs.omit.d', { recursive: true });
    run('rpcbind', '-w');
    run('mount', '-t', 'nfsd', 'nfsd', '/proc/fs/nfsd');
    run('exportfs', '-r');
    run('rpc.mountd');
    run('rpc.nfsd', '--nfs-version', '3', '--nfs-version', '4', '2');
  });

  after(() => {
    run('rpc.nfsd', '0');
    rmSync(exported, { recursive: true });
  });

  for (const [version, path, o] of [
    ['4.2', '/', 'addr=127.0.0.1,rw,nfsvers=4.2'],
    ['3', exported, 'addr=127.0.0.1,nolock,soft,vers=3,noatime'],
    ['4, by the name of the server', '/', 'addr=files.test,nfsvers=4'],
  ] as const) {
    test(`version ${version}: read, written, unmounted`, async t => {
      const { volumes } = await temporaryStorage(t);
      const options = { type: 'nfs', device: `:${path}`, o };
      await volumes.create({ name: 'shared', options });
      const mountpoint = await volumes.mount('shared', 'c1');
      assert.equal(statfsType(mountpoint), 'nfs');
      assert.equal(readFileSync(join(mountpoint, 'deep', 'hello'), 'utf8'), 'from the server');
      writeFileSync(join(mountpoint, 'answer'), `by ${version}`);
      assert.equal(readFileSync(join(exported, 'answer'), 'utf8'), `by ${version}`);
      assert.equal(statSync(join(exported, 'answer')).uid, 0);
      await volumes.mount('shared', 'c2');
      await volumes.unmount('shared', 'c1');
      assert.equal(readFileSync(join(mountpoint, 'answer'), 'utf8'), `by ${version}`);
      await volumes.unmount('shared', 'c2');
      assert.equal(statfsType(mountpoint), undefined);
      await volumes.remove('shared');
      assert.equal(readFileSync(join(exported, 'answer'), 'utf8'), `by ${version}`, 'it is the server s');
    });
  }

  test('what the server has not, and a server that is not there', async t => {
    const { volumes } = await temporaryStorage(t, temporaryFolder(t));
    const make = (name: string, device: string, o: string) =>
      volumes.create({ name, options: { type: 'nfs', device, o } });
    await make('wrong', ':/nosuch', 'addr=127.0.0.1,nfsvers=4');
    await assert.rejects(volumes.mount('wrong', 'c1'), /failed to mount local volume: .*no such file/);
    await make('nobody', ':/x', 'addr=127.0.0.1,nfsvers=4,port=9,soft,retrans=0,timeo=10');
    await assert.rejects(volumes.mount('nobody', 'c1'), /failed to mount local volume: .*connection refused/);
    await make('nameless', ':/x', 'addr=nosuch.test,nfsvers=4');
    await assert.rejects(volumes.mount('nameless', 'c1'), /nosuch\.test/);
  });
});

function statfsType(path: string): string | undefined {
  return listMounts(path)
    .find(({ mountPoint }) => mountPoint === path)
    ?.type.replace(/\d$/, '');
}
