import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { removeRecursively } from '../stdx/remove-recursively.ts';

/**
 * `gantry demo`: the main job, done before your eyes with the commands you would type. A daemon of its own, with
 * its own data below a temporary directory, so that nothing on the machine is touched; all of it goes at the end.
 */
const usage = `Usage:  gantry demo [--keep] [--port PORT]

Builds a small web application in TypeScript, runs it, fetches its page and says what it did.

Options:
      --keep        leave daemon and containers running, and say how to reach and remove them
      --port PORT   port of this machine to publish the page on (default 8080, or a free one if that is taken)
`;

const home = join(import.meta.dirname, '../..');
const options = parseArguments(process.argv.slice(2));
if (process.getuid?.() !== 0) {
  console.error('demo: containers need root: run it as root, or with sudo');
  process.exit(1);
}
const root = mkdtempSync(join(tmpdir(), 'gantry-demo-'));
const socket = `unix://${root}/gantry.sock`;
const environment = { ...process.env, GANTRY_HOST: socket, DOCKER_CONTEXT: '' };
const steps: { what: string; ms: number }[] = [];
let daemon: ChildProcess | undefined;
let stopping = false;

process.on('SIGINT', () => void stopAndExit(130));
process.on('SIGTERM', () => void stopAndExit(143));
try {
  await demo();
  if (options.keep) keep();
  else await stopAndExit(0);
} catch (error) {
  console.error(styleText('red', `\ndemo: ${error instanceof Error ? error.message : error}`));
  await stopAndExit(1);
}

async function demo(): Promise<void> {
  const context = join(home, 'examples/visits');
  options.port ??= await freePort(8080);
  const url = `http://127.0.0.1:${options.port}/`;
  await step('Start the daemon', startDaemon);
  await step('Bootstrap debian:bookworm-slim from its packages (no registry needed)', () =>
    gantry('image', 'bootstrap', 'debian:bookworm-slim'),
  );
  await step('Build the application, in two stages', () => gantry('build', '-t', 'visits', context));
  await step('Build it again: everything comes from the cache', () =>
    gantry('build', '-t', 'visits', context),
  );
  await step('Make a network and a volume', async () => {
    await gantry('network', 'create', 'demo');
    await gantry('volume', 'create', 'visits');
  });
  await step('Run the counter, which keeps its number in the volume', startCounter);
  await step('Run the page, which finds the counter by name', async () => {
    await gantry('run', '-d', '--name', 'web', '--network', 'demo', '-p', `${options.port}:8080`, 'visits');
  });
  await step('Fetch the page, twice', async () => {
    await fetchPage(url);
    await fetchPage(url);
  });
  await step('Replace the counter by a new container: the volume remembers', async () => {
    await gantry('rm', '-f', 'counter');
    await startCounter();
    await fetchPage(url);
  });
  await step('Look into it', async () => {
    await gantry('ps');
    await gantry('logs', 'web');
    await gantry('exec', 'web', 'cat', '/etc/hosts');
  });
  await step('Run a container and throw it away', () =>
    gantry('run', '--rm', 'visits', 'echo', 'hello from a container'),
  );
  summary();
}

async function startCounter(): Promise<void> {
  await gantry(
    'run',
    '-d',
    '--name',
    'counter',
    '--network',
    'demo',
    '-v',
    'visits:/data',
    'visits',
    'node',
    'counter.js',
  );
  // Started is not yet listening: the page would say that the counter does not answer.
  for (let attempt = 0; attempt < 600 && !stopping; attempt++) {
    if ((await quietly('logs', 'counter')).includes('visits so far')) return;
    await sleep(50);
  }
}

async function startDaemon(): Promise<void> {
  const log = openSync(join(root, 'daemon.log'), 'a');
  const flags = [
    '--data-root',
    `${root}/data`,
    '--exec-root',
    `${root}/run`,
    '--pidfile',
    `${root}/gantryd.pid`,
  ];
  // Names of its own: beside another demo, or one that was kept.
  const own = ['--firewall-table', `gantry_demo_${process.pid}`, '--bridge', `gdemo${process.pid}`];
  daemon = spawn(join(home, 'gantryd'), [...flags, ...own, '-H', socket], {
    stdio: ['ignore', log, log],
    detached: true,
  });
  for (let waited = 0; waited < 60_000; waited += 20) {
    if (existsSync(`${root}/gantry.sock`)) return;
    if (daemon.exitCode !== null) break;
    await sleep(20);
  }
  throw new Error(`the daemon did not start:\n${readFileSync(join(root, 'daemon.log'), 'utf8')}`);
}

/** Runs a command of the client, showing it and what it prints. */
async function gantry(...args: string[]): Promise<void> {
  console.log(styleText('dim', `  $ gantry ${args.join(' ').replace(home, '.')}`));
  const child = spawn(join(home, 'gantry'), args, {
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  // Interrupted: what is under way stops here, and the cleaning up ends the program.
  if (stopping) await new Promise(() => {});
  if (code !== 0) throw new Error(`gantry ${args[0]} ended with code ${code}`);
}

/** What a command of the client prints, which nobody needs to see; nothing where it fails. */
async function quietly(...args: string[]): Promise<string> {
  const child = spawn(join(home, 'gantry'), args, { env: environment, stdio: ['ignore', 'pipe', 'ignore'] });
  const printed = await child.stdout.toArray();
  return Buffer.concat(printed).toString();
}

/** @returns `wanted`, or any other port when somebody listens on that one. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  try {
    server.listen(wanted);
    await once(server, 'listening');
  } catch {
    // Taken: the kernel knows a free one.
    server.listen(0);
    await once(server, 'listening');
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  if (port !== wanted) console.log(`Port ${wanted} is taken: the page will be on port ${port}.`);
  return port;
}

async function fetchPage(url: string): Promise<void> {
  console.log(styleText('dim', `  $ curl ${url}`));
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(url);
      const text = await response.text();
      if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
      console.log(`  ${styleText('green', text.trim())}`);
      return;
    } catch (error) {
      // The server inside needs a moment to listen.
      if (attempt === 100) throw error;
      await sleep(100);
    }
  }
}

async function step(what: string, work: () => Promise<void>): Promise<void> {
  console.log(`\n${styleText('bold', what)}`);
  const begin = performance.now();
  await work();
  steps.push({ what, ms: performance.now() - begin });
}

function summary(): void {
  console.log(`\n${styleText('bold', 'What happened, and how long it took')}`);
  for (const { what, ms } of steps) console.log(`  ${(ms / 1000).toFixed(2).padStart(7)} s  ${what}`);
}

function keep(): void {
  daemon?.unref();
  console.log(`
It goes on running. The page:   curl http://127.0.0.1:${options.port}/
To look around:                 export GANTRY_HOST=${socket} && gantry ps
To remove all of it:            gantry rm -f web counter && kill -USR2 $(cat ${root}/gantryd.pid) && \\
                                while [ -e ${root}/gantryd.pid ]; do sleep 0.1; done; rm -rf ${root}`);
  process.exit(0);
}

async function stopAndExit(code: number): Promise<never> {
  if (!stopping) {
    stopping = true;
    await cleanUp();
  }
  process.exit(code);
}

async function cleanUp(): Promise<void> {
  console.log(`\n${styleText('bold', 'Clean up')}`);
  if (daemon !== undefined && daemon.exitCode === null) {
    await removeContainers();
    const ended = once(daemon, 'exit');
    // Asked with SIGUSR2 the daemon also takes down its bridges and its firewall table.
    daemon.kill('SIGUSR2');
    await ended;
  }
  removeRecursively(root);
  console.log('  nothing is left behind');
}

/** All there are: an interrupted build may have left one, and a stopped demo has not made all of them. */
async function removeContainers(): Promise<void> {
  if (!existsSync(`${root}/gantry.sock`)) return;
  const ids = (await quietly('ps', '-aq')).split('\n').filter(Boolean);
  if (ids.length > 0) await quietly('rm', '-f', '-v', ...ids);
}

interface Options {
  keep: boolean;
  /** Undefined: 8080 if it is free. */
  port: number | undefined;
}

function parseArguments(args: string[]): Options {
  const parsed: Options = { keep: false, port: undefined };
  for (let index = 0; index < args.length; index++) {
    const argument = args[index];
    if (argument === '--keep') parsed.keep = true;
    else if (argument === '--port' && /^\d+$/.test(args[index + 1] ?? ''))
      parsed.port = Number(args[++index]);
    else {
      const wanted = argument === '--help' || argument === '-h';
      (wanted ? process.stdout : process.stderr).write(usage);
      process.exit(wanted ? 0 : 1);
    }
  }
  return parsed;
}
