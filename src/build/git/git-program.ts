import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';

export interface GitProgram {
  /** Absolute; undefined: the machine has none. */
  path: string | undefined;
  /** `http_proxy` and the like. */
  proxyEnv: Readonly<Record<string, string>>;
  /** A directory of makeGitHome. */
  home: string;
  /** Socket of the agent for ssh. */
  agent?: string;
  /** `Authorization: ...` for requests to a URL's host. */
  header?: { url: string; value: string };
  signal: AbortSignal;
}

/**
 * Whatever a repository brings along is data: it starts no program, and names no file of this machine. As a submodule
 * it could be one of this machine's own repositories (CVE-2022-39253).
 */
const settings = `[core]
	hooksPath = /dev/null
	fsmonitor = false
	askPass =
[credential]
	helper =
[protocol]
	allow = never
[protocol "http"]
	allow = always
[protocol "https"]
	allow = always
[protocol "git"]
	allow = always
[protocol "ssh"]
	allow = always
[protocol "file"]
	allow = never
[protocol "ext"]
	allow = never
[submodule]
	recurse = false
[fetch]
	recurseSubmodules = false
[init]
	defaultBranch = master
[gc]
	auto = 0
[maintenance]
	auto = false
`;

/** Makes git's home. */
export async function makeGitHome(directory: string): Promise<void> {
  await writeFile(join(directory, 'config'), settings);
}

/** All that git gets to know of its surroundings. */
function environmentOf(program: GitProgram): Record<string, string> {
  const { home, agent, header, proxyEnv } = program;
  const env: Record<string, string> = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    XDG_CONFIG_HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(home, 'config'),
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
    GIT_SSH_COMMAND:
      'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null',
    ...proxyEnv,
  };
  for (const name of ['ALL_PROXY', 'all_proxy']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  if (agent !== undefined) env['SSH_AUTH_SOCK'] = agent;
  if (header !== undefined) {
    // By the environment, as arguments are seen by everybody on the machine.
    env['GIT_CONFIG_COUNT'] = '1';
    env['GIT_CONFIG_KEY_0'] = `http.${header.url}.extraHeader`;
    env['GIT_CONFIG_VALUE_0'] = header.value;
  }
  return env;
}

const largestOutputBytes = 64 << 20;

/** @returns what it printed. @throws EngineError `unavailable` with what git complained of, `cancelled` */
export async function runGit(
  program: GitProgram,
  directory: string,
  args: readonly string[],
): Promise<string> {
  const { path, signal } = program;
  if (path === undefined)
    throw new EngineError(
      'unavailable',
      'git is not installed on this machine: a git repository cannot be fetched',
    );
  signal.throwIfAborted();
  const child = spawn(path, args, {
    cwd: directory,
    env: environmentOf(program),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its helpers are in its group, and die with it.
    detached: true,
  });
  const kill = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  const chunks: Buffer[] = [];
  let bytes = 0;
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= largestOutputBytes) chunks.push(chunk);
  });
  child.stderr.on('data', chunk => {
    complaint = (complaint + chunk).slice(-4000);
  });
  signal.addEventListener('abort', kill, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    if (signal.aborted) throw new EngineError('cancelled', 'build cancelled');
    if (code !== 0) throw new EngineError('unavailable', `git stderr:\n${complaint.trim()}`);
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
