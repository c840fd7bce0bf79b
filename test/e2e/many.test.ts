import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cgroupNames, processesSeenIn } from '../support/cgroups.ts';
import { leftovers } from './leftovers.ts';
import { daemonKind, Machine } from './machine.ts';

const containers = Number(process.env['GANTRY_MANY'] ?? 1000);
const cycles = Number(process.env['GANTRY_CYCLES'] ?? 2000);

/** A thousand containers at once, and thousands one after the other: nothing may grow that does not shrink again. */
describe(`many containers, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  let api: Api;
  /** Of all containers that ever were. */
  const ids = new Set<string>();

  before(async () => {
    machine = await Machine.start('many');
    api = new Api(machine.daemon.socket);
    // What is made once and then kept (bridges, caches, compiled code) is not a leak.
    await forEach(64, cycle);
  });
  after(async () => {
    api?.close();
    await machine?.stop();
  });

  /** run -d, then kill, then rm. */
  async function cycle(): Promise<void> {
    const { Id } = await api.json<{ Id: string }>('POST', '/containers/create', sleeper);
    ids.add(Id);
    await api.json('POST', `/containers/${Id}/start`);
    await api.json('POST', `/containers/${Id}/kill`);
    await api.json('POST', `/containers/${Id}/wait`);
    await api.json('DELETE', `/containers/${Id}?force=1`);
  }

  test(`${containers} run at once: started, listed, exec'd into, stopped, removed`, async () => {
    const empty = await worldOf(machine, ids);
    const name = (n: number): string => `many-${n}`;
    await forEach(containers, async n => {
      const { Id } = await api.json<{ Id: string }>('POST', `/containers/create?name=${name(n)}`, sleeper);
      ids.add(Id);
      await api.json('POST', `/containers/${name(n)}/start`);
    });
    assert.equal((await machine.must('docker ps -q', 120_000)).split('\n').length, containers);
    const full = await worldOf(machine, ids);
    assert.equal(full.monitors - empty.monitors, containers);
    assert.equal(full.links - empty.links, containers);
    for (const n of [0, Math.floor(containers / 2), containers - 1]) {
      assert.equal(await machine.must(`docker exec ${name(n)} echo here`), 'here');
      assert.match(await machine.must(`docker inspect -f '{{.State.Pid}}' ${name(n)}`), /^[1-9]/);
    }
    await forEach(containers, async n => {
      await api.json('POST', `/containers/${name(n)}/stop?t=0`);
    });
    assert.equal(await machine.must('docker ps -q', 120_000), '');
    assert.equal(
      (await machine.must('docker ps -aq --filter exited=137', 120_000)).split('\n').length,
      containers,
    );
    await forEach(containers, async n => {
      await api.json('DELETE', `/containers/${name(n)}`);
    });
    assert.equal(await machine.must('docker ps -aq', 120_000), '');
    assert.deepEqual(await worldOf(machine, ids), empty);
  });

  test(`${cycles} cycles of start and stop leave the machine as it was`, async () => {
    await collectGarbage(machine);
    const world = await worldOf(machine, ids);
    const descriptors = descriptorsOf(machine);
    const bytes = await collectGarbage(machine);
    await forEach(cycles, cycle);
    assert.deepEqual(await worldOf(machine, ids), world);
    assert.deepEqual(await leftovers(machine), []);
    api.close();
    // Idle connections of clients are closed by and by.
    for (let wait = 0; descriptorsOf(machine) > descriptors && wait < 300; wait++) await pause();
    assert.ok(
      descriptorsOf(machine) <= descriptors,
      `${descriptorsOf(machine)} descriptors, ${descriptors} before`,
    );
    const grown = (await collectGarbage(machine)) - bytes;
    // Exits and events of the last minutes are remembered: some bytes a cycle, not a container's worth of state.
    assert.ok(grown < 2_000_000 + cycles * 500, `the heap has grown by ${grown} bytes in ${cycles} cycles`);
  });
});

const sleeper = { Image: 'busybox', Cmd: ['sleep', '100000'], HostConfig: { LogConfig: { Type: 'local' } } };

/** Runs `work` for 0, 1, ... by eight at a time; the first failure is thrown. */
async function forEach(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** Requests over connections that stay open: a docker process for each of thousands would measure docker. */
class Api {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** @throws when the status is an error; 304 is none */
  json<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method,
          path: `/v1.45${path}`,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        response => {
          let answer = '';
          response.setEncoding('utf8');
          response.on('data', chunk => {
            answer += chunk;
          });
          response.on('end', () => {
            if (response.statusCode! >= 400)
              reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
            else resolve((answer === '' ? undefined : JSON.parse(answer)) as Answer);
          });
        },
      );
      asked.on('error', reject);
      asked.end(text);
    });
  }
}

interface Counts {
  processes: number;
  monitors: number;
  mounts: number;
  links: number;
  cgroups: number;
  firewallElements: number;
}

/** What the kernel holds for a machine. Ends of processes and namespaces are waited for: the kernel is late with them. */
async function worldOf(machine: Machine, ids: ReadonlySet<string>): Promise<Counts> {
  let last = await countOnce(machine, ids);
  for (let wait = 0; wait < 100; wait++) {
    await pause();
    const counts = await countOnce(machine, ids);
    if (JSON.stringify(counts) === JSON.stringify(last) && wait > 3) return counts;
    last = counts;
  }
  return last;
}

async function countOnce(machine: Machine, ids: ReadonlySet<string>): Promise<Counts> {
  const { world } = machine;
  const processes = processesSeenIn(world.proc);
  const links = await world.run(['ip', '-o', 'link', 'show', 'type', 'veth']);
  const rules = await world.run(['nft', 'list', 'ruleset']);
  // Mounts of others on the machine come and go in every mount namespace.
  const mounts = readFileSync(join(world.proc, '1/mountinfo'), 'utf8');
  return {
    processes: processes.filter(({ name }) => !/^(nsenter|ip|nft)$/.test(name)).length,
    monitors: processes.filter(({ name }) => name === 'conmon').length,
    mounts: mounts.split('\n').filter(line => line.includes(world.directory)).length,
    links: links.stdout.split('\n').filter(Boolean).length,
    cgroups: cgroupNames().intersection(ids).size,
    firewallElements: rules.stdout.split('\n').length,
  };
}

function descriptorsOf(machine: Machine): number {
  return readdirSync(`/proc/${machine.daemon.pid}/fd`).length;
}

/** Has the daemon collect its garbage, through the debugger that SIGUSR1 opens in any Node process; bytes in use then. */
async function collectGarbage(machine: Machine): Promise<number> {
  process.kill(machine.daemon.pid, 'SIGUSR1');
  const { code, stdout, stderr } = await machine.world.run([process.execPath, '-e', collector], {
    timeoutMs: 60_000,
  });
  if (code !== 0) throw new Error(`collecting garbage: ${stderr}`);
  return Number(stdout);
}

const collector = `
  const pages = async () => (await fetch('http://127.0.0.1:9229/json')).json();
  const open = async () => { for (;;) try { return await pages(); } catch { await new Promise(r => setTimeout(r, 100)); } };
  open().then(([page]) => {
    const socket = new WebSocket(page.webSocketDebuggerUrl);
    const send = (id, method) => socket.send(JSON.stringify({ id, method }));
    socket.onopen = () => send(1, 'HeapProfiler.collectGarbage');
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(data);
      if (id === 1) send(2, 'Runtime.getHeapUsage');
      if (id === 2) { console.log(result.usedSize); process.exit(0); }
    };
  });
`;

function pause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 100));
}
