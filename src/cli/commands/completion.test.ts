import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { runCli } from '../cli.ts';
import { commandTree, isGroup } from '../command-tree.ts';
import { Output } from '../output/output.ts';

/** Status, and stdout and stderr as one. */
async function gantry(...args: string[]): Promise<{ code: number; text: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-cli-'));
  const path = join(folder, 'out');
  const descriptor = openSync(path, 'w');
  const output = new Output(descriptor, { isTerminal: false, size: () => ({ rows: 24, columns: 80 }) });
  try {
    const code = await runCli(args, {
      env: {},
      homeDirectory: folder,
      workingDirectory: folder,
      out: output,
      err: output,
      input: { isTerminal: false, stream: () => process.stdin, setRawMode: () => {}, setKeyMode: () => {} },
      build: { version: 'test', commit: 'test', builtAt: '' },
    });
    return { code, text: readFileSync(path, 'utf8') };
  } finally {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  }
}

const paths = Object.entries(commandTree).flatMap(([name, entry]) =>
  isGroup(entry) ? [[name], ...Object.keys(entry.commands).map(sub => [name, sub])] : [[name]],
);

test('every command has a help with its usage', async () => {
  for (const path of paths) {
    const { code, text } = await gantry(...path, '--help');
    assert.equal(code, 0, path.join(' '));
    assert.match(text, new RegExp(`^Usage:  gantry ${path.join(' ')}\\b`), path.join(' '));
  }
});

test('completion names every command, in a script its shell can read', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, text } = await gantry('completion', shell);
    assert.equal(code, 0);
    for (const [name] of paths) assert.ok(text.includes(name!), `${shell}: ${name}`);
  }
  const { text } = await gantry('completion', 'bash');
  const checked = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
  assert.equal(checked.stderr, '');
  // The script at work: what it offers after "gantry vol".
  const asked = `${text}\nCOMP_WORDS=(gantry vol); COMP_CWORD=1; _gantry; echo "\${COMPREPLY[*]}"
COMP_WORDS=(gantry volume pru); COMP_CWORD=2; _gantry; echo "\${COMPREPLY[*]}"`;
  const offered = spawnSync('bash', [], { input: asked, encoding: 'utf8' });
  assert.equal(offered.stdout, 'volume\nprune\n');
  assert.match((await gantry('completion', 'csh')).text, /^unknown shell "csh": want one of bash, zsh, fish/);
});

test('a typo is answered with what was meant', async () => {
  assert.match((await gantry('volme')).text, /Did you mean this\?\n\tvolume\n/);
  assert.match((await gantry('network', 'creat')).text, /Did you mean this\?\n\tcreate\n/);
});
