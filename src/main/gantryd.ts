import { readFileSync } from 'node:fs';
import { gantryVersion } from '../server/versions.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { type DaemonInvocation, parseDaemonConfig } from './daemon-config.ts';
import { daemonHelp } from './daemon-options.ts';

/**
 * The daemon's executable. SIGTERM and SIGINT end it; containers run on. SIGHUP reads the configuration again. SIGUSR2
 * ends it and takes its bridges, rules and running containers along, for daemons that were made for a moment
 * (`gantry demo`, tests).
 */
const invocation = parse();
switch (invocation.action) {
  case 'help':
    process.stdout.write(daemonHelp());
    break;
  case 'version':
    console.log(`Gantry version ${gantryVersion}`);
    break;
  case 'validate':
    console.log('configuration OK');
    break;
  case 'run':
    await run(invocation);
}

function parse(): DaemonInvocation {
  try {
    return readConfig();
  } catch (error) {
    return fail(error);
  }
}

function readConfig(): DaemonInvocation {
  return parseDaemonConfig({
    argv: process.argv.slice(2),
    env: process.env,
    readFile: path => readFileSync(path, 'utf8'),
  });
}

/** SIGHUP: a configuration that cannot be read changes nothing. */
async function reload(daemon: Daemon): Promise<void> {
  daemon.log.info({}, 'Got signal to reload configuration');
  try {
    const fresh = readConfig();
    if (fresh.action === 'run') await daemon.reload(fresh.config);
  } catch (error) {
    daemon.log.error({ err: error }, `reloading the configuration: ${messageOf(error)}`);
  }
}

async function run({ config }: Extract<DaemonInvocation, { action: 'run' | 'validate' }>): Promise<void> {
  process.title = 'gantryd';
  let daemon: Daemon;
  try {
    daemon = await startDaemon(config);
  } catch (error) {
    fail(error);
  }
  let ending = false;
  const end = (how: (daemon: Daemon) => Promise<void>) => {
    if (ending) return;
    ending = true;
    how(daemon).then(() => process.exit(0), fail);
  };
  let reloaded = Promise.resolve();
  process.on('SIGHUP', () => {
    // One after the other, so that what was written last is taken last.
    reloaded = reloaded.then(() => reload(daemon));
  });
  process.on('SIGTERM', () => end(running => running.stop()));
  process.on('SIGINT', () => end(running => running.stop()));
  process.on('SIGUSR2', () => end(running => running.dismantle()));
}

function fail(error: unknown): never {
  console.error(`gantryd: ${error instanceof EngineError ? error.message : messageOf(error)}`);
  if (!(error instanceof EngineError) && error instanceof Error) console.error(error.stack);
  process.exit(1);
}
