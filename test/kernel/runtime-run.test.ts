import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupDirectories, detectCgroups } from '../../src/linux/cgroups.ts';
import { isSleeping, kill, parentOf, signals } from '../../src/linux/process.ts';
import type { AttachStream } from '../../src/runtime/attach.ts';
import { grantDevices } from '../../src/runtime/devices.ts';
import { parseLogRecords } from '../../src/runtime/logs/log-format.ts';
import type { ProcessInput, SpecInput } from '../../src/runtime/spec.ts';
import { planProcess } from '../../src/runtime/spec.ts';
import { collect, Fixture, waitFor } from './runtime-fixture.ts';

const fixture = new Fixture();
before(() => fixture.open());
after(async () => {
  await fixture.close();
  assert.equal(
    cgroupDirectories(detectCgroups(), fixture.cgroupParent).some(path => existsSync(path)),
    false,
  );
});

interface Run {
  process?: Partial<ProcessInput>;
  spec?: Partial<SpecInput>;
  stdin?: boolean;
  stdinOnce?: boolean;
  logPath?: string;
}

async function begin(args: string[], run: Run = {}) {
  const id = fixture.newId();
  const { runtime } = fixture;
  const { pid, monitorPid } = await runtime.create({
    id,
    spec: fixture.spec(id, args, run.process, run.spec),
    stdin: run.stdin === true,
    stdinOnce: run.stdinOnce === true,
    logPath: run.logPath ?? null,
  });
  return { id, pid, monitorPid, stream: runtime.attach(id), exit: fixture.exit(id) };
}

test('output, exit code and log of a container; nothing is left of it', async () => {
  const logPath = join(fixture.root, 'log');
  const { id, stream, exit, pid, monitorPid } = await begin(
    ['sh', '-c', 'echo out; echo err >&2; echo -n end; exit 7'],
    { logPath },
  );
  assert.equal(parentOf(pid), monitorPid);
  const output = collect(stream);
  await fixture.runtime.start(id);
  const { exitCode, oomKilled, finishedAtMs } = await exit;
  assert.deepEqual({ exitCode, oomKilled }, { exitCode: 7, oomKilled: false });
  assert.ok(Math.abs(Date.now() - finishedAtMs) < 60_000);
  assert.deepEqual(await output, { stdout: 'out\nend', stderr: 'err\n' });
  const { records } = parseLogRecords(readFileSync(logPath));
  const written = Array.from(
    { length: records.length },
    (_, index) => `${records.stream(index)} ${JSON.stringify(records.text(index).toString())}`,
  );
  assert.deepEqual(written.sort(), ['stderr "err\\n"', 'stdout "end"', 'stdout "out\\n"']);
  assert.equal(fixture.runtime.readExit(id)?.exitCode, 7);
  await fixture.runtime.delete(id);
  await fixture.runtime.delete(id);
  assert.deepEqual(fixture.runtime.list(), []);
  assert.deepEqual(readdirSync(join(fixture.execRoot, 'exits')), []);
  assert.equal(
    readdirSync(join(fixture.execRoot, 'runtime')).filter(name => !name.startsWith('.')).length,
    0,
  );
});

test('the program is not let go before the monitor has its clients', async () => {
  const { id, stream, exit, monitorPid } = await begin(['echo', 'out']);
  kill(monitorPid, signals['SIGSTOP']!);
  while (isSleeping(monitorPid)) await sleep(1);
  const outputs = [stream, fixture.runtime.attach(id)].map(collect);
  let started = false;
  const starting = fixture.runtime.start(id).then(() => {
    started = true;
  });
  await sleep(50);
  assert.equal(started, false);
  kill(monitorPid, signals['SIGCONT']!);
  await starting;
  assert.equal((await exit).exitCode, 0);
  for (const output of outputs) assert.equal((await output).stdout, 'out\n');
  await fixture.runtime.delete(id);
});

test('input arrives whole, and its end ends it', async () => {
  const { id, stream, exit } = await begin(['cat'], { stdin: true, stdinOnce: true });
  const output = collect(stream);
  await fixture.runtime.start(id);
  const input = Buffer.alloc(1 << 20, 'abcdefg\n');
  await stream.write(input);
  stream.closeStdin();
  assert.equal((await exit).exitCode, 0);
  assert.equal((await output).stdout, input.toString());
  await fixture.runtime.delete(id);
});

test('without stdinOnce input goes on with the next client; one without input does not end it', async () => {
  for (const stdinOnce of [false, true]) {
    const { id, stream, exit } = await begin(['sh', '-c', 'read a; read b; echo $a$b'], {
      stdin: true,
      stdinOnce,
    });
    await fixture.runtime.start(id);
    if (stdinOnce) fixture.runtime.attach(id, undefined, { stdin: false }).close();
    else stream.close();
    const second = stdinOnce ? stream : fixture.runtime.attach(id);
    const output = collect(second);
    await second.write(Buffer.from('x\n'));
    await second.write(Buffer.from('y\n'));
    assert.equal((await exit).exitCode, 0);
    assert.equal((await output).stdout, 'xy\n');
    await fixture.runtime.delete(id);
  }
});

test('a client that does not read loses nothing and keeps no container from ending', async () => {
  const { id, stream, exit } = await begin(['sh', '-c', 'yes 0123456 | head -c 3000000; kill -9 $$']);
  let bytes = 0;
  let seen: () => void = () => {};
  const first = new Promise<void>(resolve => (seen = resolve));
  stream.onOutput((_, chunk) => {
    bytes += chunk.length;
    if (bytes === chunk.length) stream.pause();
    seen();
  });
  const ended = new Promise<void>(resolve => stream.onEnd(resolve));
  await fixture.runtime.start(id);
  await first;
  assert.ok(bytes < 3_000_000);
  await fixture.runtime.kill(id, signals['SIGKILL']!);
  assert.equal((await exit).exitCode, 137);
  stream.resume();
  await ended;
  assert.ok(bytes > 0 && bytes < 3_000_000);
  await fixture.runtime.delete(id);
});

test('a terminal has the size it was given, and follows', async () => {
  const script = 'trap "stty size; exit" WINCH; stty size; while :; do sleep 0.05; done';
  const { id, stream } = await begin(['sh', '-c', script], {
    process: { tty: true, consoleSize: { rows: 11, cols: 22 } },
    stdin: true,
  });
  const first = waitFor(stream, '11 22');
  await fixture.runtime.start(id);
  await first;
  const output = collect(stream);
  fixture.runtime.resize(id, undefined, { rows: 33, cols: 44 });
  assert.match((await output).stdout, /33 44/);
  await fixture.runtime.delete(id);
  assert.throws(() => fixture.runtime.resize(id, undefined, { rows: 1, cols: 1 }), { kind: 'conflict' });
});

test('pause stops it, resume lets it go on, also when it was killed meanwhile', async () => {
  const { id, stream, exit } = await begin(['sleep', '60']);
  await fixture.runtime.start(id);
  await fixture.runtime.pause(id);
  assert.equal(fixture.runtime.state(id).status, 'paused');
  await fixture.runtime.resume(id);
  assert.equal(fixture.runtime.state(id).status, 'running');
  await fixture.runtime.pause(id);
  await fixture.runtime.kill(id, 9);
  assert.equal((await exit).exitCode, 137);
  stream.close();
  await assert.rejects(fixture.runtime.kill(id, 15), {
    kind: 'conflict',
    message: `container ${id} is not running`,
  });
  await fixture.runtime.delete(id);
});

test('out of memory is noticed', async () => {
  const { id, exit } = await begin(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1'], {
    spec: { resources: { memoryBytes: 16 << 20, memorySwapBytes: 16 << 20 } },
  });
  await fixture.runtime.start(id);
  const { exitCode, oomKilled } = await exit;
  assert.deepEqual({ exitCode, oomKilled }, { exitCode: 137, oomKilled: true });
  await fixture.runtime.delete(id);
});

test('exec: streams, exit code, input, user; its errors', async () => {
  const { id, exit } = await begin(['sleep', '60']);
  const { runtime } = fixture;
  await runtime.start(id);
  const exec = async (args: string[], process?: Partial<ProcessInput>, input?: string) => {
    let output: Promise<{ stdout: string; stderr: string }> | undefined;
    const attached = (stream: AttachStream) => {
      output = collect(stream);
      if (input !== undefined) void stream.write(Buffer.from(input)).then(() => stream.closeStdin());
    };
    const planned = planProcess(fixture.process(args, process), runtime.host);
    const execId = fixture.newId();
    const { exitCode } = await runtime.exec(id, {
      execId,
      process: planned,
      stdin: input !== undefined,
      attached,
    });
    return { exitCode: await exitCode, ...(await output) };
  };
  assert.deepEqual(await exec(['sh', '-c', 'id -u; echo e >&2; exit 3'], { uid: 12 }), {
    exitCode: 3,
    stdout: '12\n',
    stderr: 'e\n',
  });
  assert.deepEqual(await exec(['cat'], {}, 'input'), { exitCode: 0, stdout: 'input', stderr: '' });
  assert.equal(
    (await exec(['sh', '-c', 'stty size'], { tty: true, consoleSize: { rows: 5, cols: 6 } })).exitCode,
    0,
  );
  await assert.rejects(exec(['nosuch']), {
    exitCode: 127,
    message:
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown',
  });
  await assert.rejects(exec(['/etc/plain']), { exitCode: 126 });
  assert.equal(runtime.processes(id).length, 1);
  await runtime.kill(id, 9);
  await exit;
  await assert.rejects(exec(['id']), { kind: 'conflict' });
  await runtime.delete(id);
});

test('what cannot start says why, and leaves nothing', async () => {
  await assert.rejects(begin(['nosuch']), {
    exitCode: 127,
    message: /exec: "nosuch": executable file not found in \$PATH: unknown$/,
  });
  await assert.rejects(begin(['/no/such']), {
    exitCode: 127,
    message: /stat \/no\/such: no such file or directory/,
  });
  await assert.rejects(begin(['/etc/plain']), {
    exitCode: 126,
    message: /exec: "\/etc\/plain": permission denied/,
  });
  await assert.rejects(begin(['id'], { process: { cwd: '/etc/plain' } }), {
    exitCode: 127,
    message: /not a directory/,
  });
  const missing = { destination: '/m', type: 'bind', source: '/no/such/source', options: ['bind'] };
  await assert.rejects(begin(['id'], { spec: { mounts: [missing] } }), { exitCode: 127 });
  assert.deepEqual(fixture.runtime.list(), []);
});

test('the seccomp filter is in force, compiled anew or not, for execs too', async () => {
  for (const _time of ['first', 'again']) {
    const { id, stream } = await begin([
      'sh',
      '-c',
      'grep Seccomp: /proc/self/status; unshare -U id; sleep 60',
    ]);
    const seen = waitFor(stream, 'unshare');
    await fixture.runtime.start(id);
    assert.match(await seen, /Seccomp:\t2\n.*Operation not permitted/s);
    let output: Promise<{ stdout: string }> | undefined;
    const attached = (streams: AttachStream) => {
      output = collect(streams);
    };
    const planned = planProcess(
      fixture.process(['grep', 'Seccomp:', '/proc/self/status']),
      fixture.runtime.host,
    );
    const { exitCode } = await fixture.runtime.exec(id, {
      execId: 'e',
      process: planned,
      stdin: false,
      attached,
    });
    assert.equal(await exitCode, 0);
    assert.equal((await output)?.stdout, 'Seccomp:\t2\n');
    await fixture.runtime.delete(id);
  }
});

test('limits are changed, numbers are read', async () => {
  const { id } = await begin(['sleep', '60'], {
    spec: { resources: { memoryBytes: 32 << 20, pidsLimit: 10 } },
  });
  await fixture.runtime.start(id);
  const before = fixture.runtime.stats(id);
  assert.deepEqual([before.memory.limitBytes, before.pids.limit], [32 << 20, 10]);
  assert.ok(
    before.cpu.totalNs > 0 && before.memory.usageBytes > 0 && before.cpu.hostTotalNs > before.cpu.totalNs,
  );
  await fixture.runtime.update(id, { memoryBytes: 48 << 20, memorySwapBytes: 96 << 20 });
  assert.equal(fixture.runtime.stats(id).memory.limitBytes, 48 << 20);
  await fixture.runtime.delete(id);
  assert.throws(() => fixture.runtime.stats(id), { kind: 'conflict' });
});

test('a new daemon adopts what runs, and learns what ended meanwhile', async () => {
  const running = await begin(['cat'], { stdin: true });
  const ended = await begin(['sh', '-c', 'exit 5']);
  await fixture.runtime.start(running.id);
  const gone = fixture.exit(ended.id);
  fixture.runtime.close();
  const gate = fixture.runtime;
  await fixture.reopen();
  assert.notEqual(gate, fixture.runtime);
  assert.equal(fixture.runtime.adopt(ended.id), undefined, 'created, not started yet');
  const endedAgain = fixture.exit(ended.id);
  await fixture.runtime.start(ended.id);
  assert.equal((await endedAgain).exitCode, 5);
  void gone;
  await fixture.reopen();
  assert.equal(fixture.runtime.adopt(ended.id)?.exitCode, 5);
  assert.equal(fixture.runtime.adopt(running.id), undefined);
  assert.equal(fixture.runtime.adopt('unknown')?.lost, true);
  const stream = fixture.runtime.attach(running.id);
  const echoed = waitFor(stream, 'again');
  await stream.write(Buffer.from('again\n'));
  await echoed;
  const exit = fixture.exit(running.id);
  await fixture.runtime.kill(running.id, 9);
  assert.equal((await exit).exitCode, 137);
  assert.deepEqual(await fixture.runtime.removeLeftovers(new Set([running.id])), [ended.id]);
  await fixture.runtime.delete(running.id);
});

test('a device is there when it is granted, and does what it is granted for', async () => {
  const run = async (permissions: string) => {
    const devices = grantDevices('/dev/kmsg', '/dev/mine', permissions);
    const { id, stream, exit } = await begin(
      ['sh', '-c', ': >>/dev/mine && echo writes; : </dev/mine && echo reads'],
      {
        spec: { devices },
      },
    );
    const output = collect(stream);
    await fixture.runtime.start(id);
    await exit;
    await fixture.runtime.delete(id);
    return await output;
  };
  // Opened only; by default a container has nothing of it.
  assert.match((await run('w')).stdout, /^writes\n$/);
  assert.match((await run('w')).stderr, /not permitted/);
  assert.equal((await run('m')).stdout, '');
});

test('a container whose monitor was killed is killed and told as lost', async () => {
  const { id, pid, monitorPid, exit } = await begin(['sleep', '60']);
  await fixture.runtime.start(id);
  kill(monitorPid, 9);
  const { exitCode, lost } = await exit;
  assert.deepEqual({ exitCode, lost }, { exitCode: 137, lost: true });
  assert.equal(fixture.runtime.state(id).status, 'exited');
  await fixture.runtime.delete(id);
  assert.equal(existsSync(`/proc/${pid}/exe`), false);
});

test('runDirect runs to the end, or until it is cut off', async () => {
  const run = async (args: string[], signal?: AbortSignal) => {
    const id = fixture.newId();
    let output = '';
    const take = (chunk: Buffer) => {
      output += chunk.toString();
    };
    const result = await fixture.runtime.runDirect({
      id,
      spec: fixture.spec(id, args),
      stdout: take,
      stderr: take,
      signal,
    });
    const { removed, ...rest } = result;
    await removed;
    return { ...rest, output };
  };
  assert.deepEqual(await run(['sh', '-c', 'echo a; echo b >&2; exit 4']), {
    exitCode: 4,
    oomKilled: false,
    output: 'a\nb\n',
  });
  await assert.rejects(run(['nosuch']), { exitCode: 127 });
  await assert.rejects(run(['sleep', '60'], AbortSignal.timeout(100)), { kind: 'cancelled' });
  assert.deepEqual(fixture.runtime.list(), []);
});
