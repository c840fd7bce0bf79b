import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.ts';

export const registryAddress = 'localhost:5000';

/** Only `me` with the password `secret` may use it. */
export const privateRegistryAddress = 'localhost:5001';
/** `secret`, by bcrypt: the only hash docker-registry takes. */
const passwordHash = '$2y$04$DVjLNVkL4tqOTNad6m9OS.rhzauzdlJsreJVJAmVMwIB/vAujvRiC';

/** The reference registry (Debian's docker-registry) on a world's own loopback; it ends with the world. */
export async function startRegistry(world: World): Promise<void> {
  await start(world, 'registry', registryAddress, 200);
}

export async function startPrivateRegistry(world: World): Promise<void> {
  const passwords = world.path('htpasswd');
  writeFileSync(passwords, `me:${passwordHash}\n`);
  await start(
    world,
    'private-registry',
    privateRegistryAddress,
    401,
    `auth: {htpasswd: {realm: test, path: ${passwords}}}\n`,
  );
}

/** @param status that it answers with when it is there */
async function start(
  world: World,
  name: string,
  address: string,
  status: number,
  settings = '',
): Promise<void> {
  const root = world.path(name);
  mkdirSync(root);
  const config = world.path(`${name}.yml`);
  writeFileSync(config, configuration(root, address) + settings);
  const logPath = world.path(`${name}.log`);
  const log = openSync(logPath, 'a');
  const argv = world.inside(['docker-registry', 'serve', config]);
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', log, log] });
  closeSync(log);
  const deadline = Date.now() + 60_000;
  const ask = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${address}/v2/`];
  while ((await world.run(ask)).stdout !== String(status)) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`docker-registry did not start:\n${readFileSync(logPath, 'utf8')}`);
    await sleep(20);
  }
}

function configuration(root: string, address: string): string {
  return `version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: ${root}
  delete:
    enabled: true
http:
  addr: ${address.replace('localhost', '127.0.0.1')}
`;
}
