import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** A repository on a slow disk, or one that waits for somebody: the build does without what it would say. */
const patienceMs = 20_000;

/**
 * What the git repository says that a context is in: which commit it is, for the provenance, and when that was made, when
 * the context holds nothing else. `BUILDX_GIT_INFO=0` asks it nothing, as in buildx; a SOURCE_DATE_EPOCH of the caller's own
 * comes before its time.
 */
export async function repositoryAttributes(
  context: string,
  dockerfile: string,
  env: Environment,
): Promise<Record<string, string>> {
  if (/^(0|f|false)$/i.test(env['BUILDX_GIT_INFO'] ?? '') || !isInRepository(context)) return {};
  const [head, changes, remote] = await Promise.all([
    git(context, env, ['show', '--no-patch', '--no-show-signature', '--format=%H %ct', 'HEAD']),
    git(context, env, ['status', '--porcelain', '--untracked-files=normal', '--', '.', dockerfile]),
    git(context, env, ['remote', 'get-url', 'origin']),
  ]);
  const [, commit, seconds] = /^([0-9a-f]{40,64}) (\d+)$/.exec(head ?? '') ?? [];
  if (commit === undefined || seconds === undefined || changes === undefined) return {};
  const clean = changes === '';
  return {
    'vcs:revision': clean ? commit : `${commit}-dirty`,
    ...(remote === undefined || remote === '' ? {} : { 'vcs:source': withoutPassword(remote) }),
    ...(clean ? { 'gantry.commit-time': seconds } : {}),
  };
}

/** Most contexts are in none, and git need not be started to know that. */
function isInRepository(directory: string): boolean {
  if (existsSync(join(directory, '.git'))) return true;
  const parent = dirname(directory);
  return parent !== directory && isInRepository(parent);
}

/** undefined: there is no git, no commit yet, or whatever else it complains of. */
function git(directory: string, env: Environment, args: readonly string[]): Promise<string | undefined> {
  // What the repository's own settings would start is not wanted; nothing is written.
  const settings = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null'];
  const options = {
    cwd: directory,
    env: { ...env, GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' },
    timeout: patienceMs,
    maxBuffer: 64 << 20,
  };
  return new Promise(resolve => {
    execFile('git', [...settings, ...args], options, (error, stdout) =>
      resolve(error === null ? stdout.trim() : undefined),
    );
  });
}

function withoutPassword(remote: string): string {
  return remote.replace(/^([a-z+]+:\/\/)[^@/]*@/i, (whole, scheme: string) =>
    /^ssh/i.test(scheme) ? whole.replace(/:[^@/]*@/, '@') : scheme,
  );
}
