import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import * as processes from '../../src/linux/process.ts';

const child = spawn('/usr/bin/unshare', ['-n', '/bin/sh', '-c', 'echo ready; exec sleep 60'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
before(async () => {
  await once(child.stdout, 'data');
});
after(() => child.kill('SIGKILL'));

test('the thread works in the other network and comes back, also after an error', () => {
  const path = `/proc/${child.pid}/ns/net`;
  const home = readlinkSync('/proc/thread-self/ns/net');
  const there = readlinkSync(path);
  assert.notEqual(there, home);
  assert.equal(
    withNetworkNamespace(path, () => readlinkSync('/proc/thread-self/ns/net')),
    there,
  );
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  const failing = () => {
    throw new Error('mine');
  };
  assert.throws(() => withNetworkNamespace(path, failing), /mine/);
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  assert.throws(() => withNetworkNamespace(path, async () => 1), { kind: 'internal' });
  assert.throws(() => withNetworkNamespace('/proc/self/ns/uts', () => 1), { code: 'EINVAL' });
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
});

test('a process is known by pid and start time until it ends', async () => {
  const pid = child.pid!;
  const started = processes.getProcessStartTime(pid);
  assert.ok(started !== undefined && started > 0n);
  assert.equal(processes.processExists(pid, started), true);
  assert.equal(processes.processExists(pid, started + 1n), false);
  assert.equal(processes.parentOf(pid), process.pid);
  const pidfd = processes.pidfdOpen(pid);
  assert.equal(processes.pidfdSendSignal(pidfd, 0), true);
  assert.equal(processes.pidfdSendSignal(pidfd, processes.signals['SIGKILL']!), true);
  await once(child, 'exit');
  assert.equal(processes.pidfdSendSignal(pidfd, 0), false);
  assert.equal(processes.processExists(pid, started), false);
  assert.equal(processes.kill(pid, 0), false);
  closeSync(pidfd);
  assert.throws(() => readFileSync(`/proc/${pid}/stat`));
});
