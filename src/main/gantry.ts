import { fstatSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { runCli } from '../cli/cli.ts';
import { Output } from '../cli/output/output.ts';

/** Set by the bundler. */
declare const GANTRY_BUILD: { version: string; commit: string; builtAt: string } | undefined;

const unbuilt = { version: 'dev', commit: 'unknown', builtAt: '' };

/** Major 1, minor 3. */
const nullDevice = 0x103;

/** node:tty loads the network and all streams: it is not asked of what cannot be a terminal. */
function isTerminal(fd: number): boolean {
  const stat = fstatSync(fd);
  return stat.isCharacterDevice() && stat.rdev !== nullDevice && isatty(fd);
}

function terminalSize(): { rows: number; columns: number } {
  const stream = isTerminal(1) ? process.stdout : isTerminal(2) ? process.stderr : undefined;
  return { rows: stream?.rows || 24, columns: stream?.columns || 80 };
}

/**
 * Node's raw mode leaves the terminal turning LF into CR LF, which the container's own terminal did already: programs
 * that draw would end up in the wrong column. Node puts everything back at the end, this included.
 */
function setRawMode(on: boolean): void {
  if (!process.stdin.isTTY) return;
  process.stdin.setRawMode(on);
  if (!on) return;
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  spawnSync('/bin/stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** Node's raw mode alone: it leaves alone how output is shown. */
function setKeyMode(on: boolean): void {
  if (process.stdin.isTTY) process.stdin.setRawMode(on);
}

// Should the line to the daemon vanish without a word, nothing is left to wait for: that is no success.
process.exitCode = 13;
runCli(process.argv.slice(2), {
  env: process.env,
  homeDirectory: homedir(),
  workingDirectory: process.cwd(),
  out: new Output(1, { isTerminal: isTerminal(1), size: terminalSize }),
  err: new Output(2, { isTerminal: isTerminal(2), size: terminalSize }),
  input: {
    isTerminal: isTerminal(0),
    stream: () => process.stdin,
    setRawMode,
    setKeyMode,
  },
  build: typeof GANTRY_BUILD === 'undefined' ? unbuilt : GANTRY_BUILD,
  walker: typeof GANTRY_BUILD === 'undefined' ? undefined : join(dirname(process.argv[1]!), 'walker.cjs'),
  // A stdin that was read would hold the program open although nobody waits for it any more.
}).then(status => process.exit(status));
