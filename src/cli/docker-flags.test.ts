import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from './command.ts';
import { commandTree, isGroup } from './command-tree.ts';
import { declareFlags, parseFlags } from './flags.ts';

/**
 * Every flag that docker's help shows is there, or refused by name. The list was taken from the client 28.2 itself:
 * `GANTRY_RECORD=1 npm test -- unit docker-flags` takes it again. A line is a command, and then its flags as
 * `--name`, `-short` before it, the type of its value behind it.
 */
const list = join(import.meta.dirname, 'golden/docker-flags.txt');

/** Commands and groups of Docker's that are not there, and why. */
const absent: Readonly<Record<string, string>> = {
  checkpoint: 'an experiment',
  config: 'Swarm',
  'context export': 'later',
  'context import': 'later',
  'context update': 'later',
  manifest: 'an experiment',
  node: 'Swarm',
  plugin: "Docker's own way to run drivers",
  service: 'Swarm',
  stack: 'Swarm',
  swarm: 'Swarm',
  trust: 'Notary v1, which has come to its end',
  'volume update': 'Swarm',
};

/** docker shows it where -h has another meaning; here every command has it. */
const everywhere = new Set(['help']);

test('every flag of docker is there or refused by name', async () => {
  if (process.env['GANTRY_RECORD'] !== undefined) writeFileSync(list, flagsOfDocker([]).join(''));
  const missing: string[] = [];
  for (const line of readFileSync(list, 'utf8').trimEnd().split('\n')) {
    const [path = '', flags = ''] = line.split(/: ?/);
    const command = await commandAt(path);
    assert.equal(command === undefined, isAbsent(path), `${path}: is it there?`);
    if (command === undefined) continue;
    const declared = declareFlags(command.flags);
    for (const { name, short, type } of declareFlags(flags.replaceAll(' | ', '\n'))) {
      if (everywhere.has(name)) continue;
      const own = declared.find(flag => flag.name === name);
      const isSame = own?.short === short && (own.type === 'bool') === (type === 'bool');
      if (!isSame && own?.refused !== true) missing.push(`${path} --${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('a refused flag says why, and is not shown', () => {
  const flags = declareFlags('  -a, --all  All\n!     --squash string  it is not done\n');
  assert.throws(() => parseFlags(flags, ['--squash', 'x'], true), {
    message: '--squash is not supported: it is not done',
  });
  assert.throws(() => parseFlags(flags, ['--squash=x'], true), /not supported/);
  assert.deepEqual(
    flags.map(flag => flag.hidden),
    [false, true],
  );
});

async function commandAt(path: string): Promise<Command | undefined> {
  const [name = '', subName] = path.split(' ');
  const entry = commandTree[name];
  if (entry === undefined) return undefined;
  const found = isGroup(entry) ? entry.commands[subName ?? ''] : entry;
  return (await found?.load())?.command;
}

function isAbsent(path: string): boolean {
  return Object.keys(absent).some(prefix => path === prefix || path.startsWith(`${prefix} `));
}

/** Lines of the list, below a command or group. */
function flagsOfDocker(path: readonly string[]): string[] {
  const help = execFileSync('docker', [...path, '--help'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    // No daemon that would have a say in what is shown, and no plugin that replaces commands.
    env: { ...process.env, DOCKER_HOST: 'unix:///nonexistent', DOCKER_BUILDKIT: '0' },
  });
  const commands = [...help.matchAll(/^(?:\w[\w ]*)?Commands:\n((?: {2}.*\n)+)/gm)].flatMap(
    ([, lines = '']) => [...lines.matchAll(/^ {2}([\w-]+)/gm)].map(([, name = '']) => name),
  );
  if (commands.length > 0) return commands.flatMap(name => flagsOfDocker([...path, name]));
  const options = help.slice(help.search(/^Options:$/m));
  const flags = help.includes('\nOptions:\n')
    ? [...options.matchAll(/^ +((?:-\w, )?--[\w-]+(?: \w+)?)(?= {2}|$)/gm)].map(([, flag]) => flag)
    : [];
  return [`${path.join(' ')}: ${flags.join(' | ')}\n`];
}
