import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandEntry, commandTree, isGroup } from './command-tree.ts';
import { declareFlags, type Flag } from './flags.ts';

/**
 * Every command of docker compose's help and every flag of each is there, or refused by name. The list was taken from
 * docker compose 2.40 itself: `GANTRY_RECORD=PROGRAM npm test -- unit compose-flags` takes it again from that program.
 * A line is a command, and then its flags as `--name`, `-short` before it, the type of its value behind it; the first
 * line has those between `compose` and its command.
 */
const list = join(import.meta.dirname, 'golden/compose-flags.txt');

/** Commands that are not there, and why. */
const absent: Readonly<Record<string, string>> = {
  bridge: 'turns projects into Kubernetes manifests with images of Docker Inc.',
  publish: 'Compose projects as OCI artifacts',
};

/** A flag of every command, declared once for all of them. */
const everywhere = 'dry-run';

test('every command and every flag of docker compose is there or refused by name', async () => {
  const program = process.env['GANTRY_RECORD'];
  if (program !== undefined) writeFileSync(list, flagsOf(program).join(''));
  const { compose } = commandTree;
  assert.ok(compose !== undefined && isGroup(compose));
  const missing: string[] = [];
  for (const line of readFileSync(list, 'utf8').trimEnd().split('\n')) {
    const [name = '', flags = ''] = line.split(/: ?/);
    const entry: CommandEntry | undefined = compose.commands[name];
    if (name !== '') assert.equal(entry === undefined, name in absent, `${name}: is it there?`);
    if (name !== '' && entry === undefined) continue;
    const declared = declareFlags(name === '' ? (compose.flags ?? '') : (await entry!.load()).command.flags);
    for (const flag of declareFlags(flags.replaceAll(' | ', '\n')))
      if ((name === '' || flag.name !== everywhere) && !isThere(flag, declared))
        missing.push(`${name} --${flag.name}`);
  }
  assert.deepEqual(missing, []);
});

function isThere({ name, short, type }: Flag, declared: readonly Flag[]): boolean {
  const own = declared.find(flag => flag.name === name);
  return own?.refused === true || (own?.short === short && (own.type === 'bool') === (type === 'bool'));
}

/** Lines of the list. */
function flagsOf(program: string): string[] {
  const help = (...path: string[]) =>
    execFileSync(program, [...path, '--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const general = help();
  const commands = [...general.matchAll(/^(?:\w[\w ]*)?Commands:\n((?: {2}.*\n)+)/gm)].flatMap(
    ([, lines = '']) => [...lines.matchAll(/^ {2}([\w-]+)/gm)].map(([, name = '']) => name),
  );
  return ['', ...commands].map(name => {
    const text = name === '' ? general : help(name);
    const options = /^Options:\n((?: .*\n?)+)/m.exec(text)?.[1] ?? '';
    const flags = options.matchAll(/^ +((?:-\w, )?--[\w-]+(?: \w+)?)(?= {2}|$)/gm);
    return `${name}: ${[...flags].map(([, flag]) => flag).join(' | ')}\n`;
  });
}
