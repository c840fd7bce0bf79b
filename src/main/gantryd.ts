import { readFileSync } from 'node:fs';
import { gantryVersion } from '../server/versions.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { type DaemonInvocation, parseDaemonConfig } from './daemon-config.ts';
import { daemonHelp } from './daemon-options.ts';

/**
 * The daemon's executable. SIGTERM and SIGINT end it; containers run on. SIGUSR2 ends it and takes its bridges,
 * rules and running containers along, for daemons that were made for a moment (`gantry demo`, tests).
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
    return parseDaemonConfig({
      argv: process.argv.slice(2),
      env: process.env,
      readFile: path => readFileSync(path, 'utf8'),
    });
  } catch (error) {
    return fail(error);
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
  process.on('SIGTERM', () => end(running => running.stop()));
  process.on('SIGINT', () => end(running => running.stop()));
  process.on('SIGUSR2', () => end(running => running.dismantle()));
}

function fail(error: unknown): never {
  console.error(`gantryd: ${error instanceof EngineError ? error.message : messageOf(error)}`);
  if (!(error instanceof EngineError) && error instanceof Error) console.error(error.stack);
  process.exit(1);
}
