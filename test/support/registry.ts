import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.ts';

export const registryAddress = 'localhost:5000';

/** The reference registry (Debian's docker-registry) on a world's own loopback; it ends with the world. */
export async function startRegistry(world: World): Promise<void> {
  const root = world.path('registry');
  mkdirSync(root);
  const config = world.path('registry.yml');
  writeFileSync(config, configuration(root));
  const log = openSync(world.path('registry.log'), 'a');
  const argv = world.inside(['docker-registry', 'serve', config]);
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', log, log] });
  closeSync(log);
  const deadline = Date.now() + 15_000;
  while ((await world.run(['curl', '-sf', `http://${registryAddress}/v2/`])).code !== 0) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`docker-registry did not start:\n${readFileSync(world.path('registry.log'), 'utf8')}`);
    }
    await sleep(20);
  }
}

function configuration(root: string): string {
  return `version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: ${root}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:5000
`;
}
