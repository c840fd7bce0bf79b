import { spawn } from 'node:child_process';
import type { DaemonKind } from '../support/daemon.ts';
import { Target } from './target.ts';

/**
 * A shell beside a private daemon, to try a scenario's lines by hand: `node test/conformance/shell.ts dockerd`,
 * or `gantryd`. DOCKER_HOST is set; leaving the shell ends the daemon and all it ran.
 */
const kind = (process.argv[2] ?? 'gantryd') as DaemonKind;
const script = process.argv.slice(3);
const target = await Target.start(kind);
try {
  const { world, socket } = target.daemon;
  const env = { ...target.client.env, SOCK: socket, WORLD: String(world.pid), PS1: `${kind}$ ` };
  const shell = spawn('sh', script.length > 0 ? ['-c', script.join(' ')] : ['-i'], {
    stdio: 'inherit',
    env,
    cwd: world.path('work'),
  });
  await new Promise(resolve => shell.once('exit', resolve));
} finally {
  await target.stop();
}
