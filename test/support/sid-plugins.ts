import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostSources } from '../../src/images/apt-sources.ts';
import { cached } from './cache.ts';
import { runOrThrow } from './run-program.ts';

/** Fetching a suite's list of packages and one of them, on a slow line. */
const fetchTimeoutMs = 600_000;

/**
 * The real buildx, from Debian's unstable suite, whatever suite this machine has: Debian 12 has none.
 * @returns a folder for DOCKER_CONFIG in which the docker client finds it
 */
export async function buildxConfig(directory: string): Promise<string> {
  const program = await buildxProgram();
  const plugins = join(directory, 'cli-plugins');
  mkdirSync(plugins, { recursive: true });
  copyFileSync(program, join(plugins, 'docker-buildx'));
  return directory;
}

/** Its path. */
function buildxProgram(): Promise<string> {
  return pluginOfSid('docker-buildx');
}

/** The path of docker compose, version 2, from the same suite. */
export function composeProgram(): Promise<string> {
  return pluginOfSid('docker-compose');
}

/** A plugin of the docker client, whose package has its name. */
function pluginOfSid(name: string): Promise<string> {
  return cached(name, async (target, scratch) => {
    const mirror = (await hostSources()).find(source => /\/debian\/?$/.test(source.uri))?.uri;
    if (mirror === undefined)
      throw new Error('this machine has no mirror of Debian among its sources of packages');
    const list = join(scratch, 'sources.list');
    const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
    writeFileSync(list, `deb [signed-by=${keys}] ${mirror} sid main\n`);
    for (const name of ['lists/partial', 'archives/partial', 'unpacked']) {
      mkdirSync(join(scratch, name), { recursive: true });
    }
    const options = Object.entries({
      'Dir::Etc::SourceList': list,
      'Dir::Etc::SourceParts': '/dev/null',
      'Dir::State::Lists': join(scratch, 'lists'),
      'Dir::Cache': scratch,
      'Dir::Cache::Archives': join(scratch, 'archives'),
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      // A mirror that is a snapshot is older than its index says it may be.
      'Acquire::Check-Valid-Until': 'false',
      'APT::Sandbox::User': 'root',
    }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const apt = (...args: string[]) =>
      runOrThrow(['apt-get', '-qq', ...options, ...args], { cwd: scratch, timeoutMs: fetchTimeoutMs });
    await apt('update');
    await apt('download', name);
    await runOrThrow(['sh', '-ec', `dpkg-deb -x ${name}_*.deb unpacked`], {
      cwd: scratch,
      timeoutMs: fetchTimeoutMs,
    });
    copyFileSync(join(scratch, 'unpacked/usr/libexec/docker/cli-plugins', name), target);
    chmodSync(target, 0o755);
  });
}
