import { existsSync } from 'node:fs';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf, within } from '../../stdx/errors.ts';
import { type GitProgram, runGit } from './git-program.ts';
import { type GitSource, shownRemote } from './git-source.ts';

const isCommit = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/**
 * The commit a source means now. Like BuildKit a ref in full wins, then a branch, then a tag.
 * @throws EngineError `invalid`, `notFound`, `unavailable`; `corrupt` when it is not the commit it must be
 */
export async function resolveCommit(source: GitSource, program: GitProgram): Promise<string> {
  const { ref, checksum } = source;
  if (checksum !== undefined && !/^[0-9a-fA-F]+$/.test(checksum))
    throw new EngineError('invalid', `invalid checksum ${checksum} for Git URL, expected hex commit hash`);
  const commits = isCommit(ref) ? [ref] : await commitsOf(source, program);
  const [commit] = commits;
  if (checksum !== undefined && !commits.some(one => one.startsWith(checksum.toLowerCase()))) {
    throw new EngineError('corrupt', `expected checksum to match ${checksum}, got ${commits.join(' or ')}`);
  }
  return commit!;
}

/** The commit, and the tag object that leads to it. */
async function commitsOf(source: GitSource, program: GitProgram): Promise<string[]> {
  const { remote, ref } = source;
  const patterns = ref === '' ? ['HEAD'] : [ref, `${ref}^{}`];
  const text = await git(source, program, program.home, ['ls-remote', '--quiet', '--', remote, ...patterns]);
  const known = new Map(
    text
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split('\t') as [string, string])
      .map(([commit, name]) => [name, commit]),
  );
  const tag = `refs/tags/${ref.replace(/^refs\/tags\//, '')}`;
  const names = ref === '' ? ['HEAD'] : [`refs/${ref.replace(/^refs\//, '')}`, `refs/heads/${ref}`, tag];
  const name = names.find(one => known.has(one));
  const commit = name === undefined ? undefined : known.get(name);
  if (name === undefined || commit === undefined || !isCommit(commit)) {
    throw new EngineError('notFound', `repository does not contain ref ${ref === '' ? 'HEAD' : ref}`);
  }
  const tagged = known.get(`${name}^{}`);
  return tagged === undefined ? [commit] : [tagged, commit];
}

/** The files of a commit. */
export interface GitTree {
  /** Of the subdirectory that was asked for; its path has no links. */
  directory: string;
  commit: string;
  /** When it was committed. */
  timeMs: number;
}

/**
 * Puts the files of a commit into a new directory, submodules included. Nothing of it may be trusted but that it is
 * there: links in it lead anywhere.
 */
export async function checkOut(
  source: GitSource & { commit: string },
  directory: string,
  program: GitProgram,
): Promise<GitTree> {
  const { remote, commit } = source;
  const run = (...args: string[]) => git(source, program, directory, args);
  await mkdir(directory);
  const format = commit.length === 64 ? ['--object-format=sha256'] : [];
  await run('init', '--quiet', '--template=', ...format);
  await run('remote', 'add', '--', 'origin', remote);
  await fetchCommit(commit, run);
  await run('checkout', '--quiet', '--force', '--detach', commit);
  const timeMs =
    Number(await run('show', '--no-patch', '--no-show-signature', '--format=%ct', commit)) * 1000;
  const hasSubmodules = source.submodules && existsSync(join(directory, '.gitmodules'));
  if (hasSubmodules) await run('submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1');
  const keepGitDir = source.keepGitDir === true && source.subdirectory === '';
  if (keepGitDir) await forgetCredentials(source, directory, run);
  else await removeGitFiles(directory, hasSubmodules);
  return { directory: await subdirectoryOf(source, directory), commit, timeMs };
}

/** One commit alone where the server gives it away by itself, else everything. */
async function fetchCommit(commit: string, run: (...args: string[]) => Promise<string>): Promise<void> {
  try {
    await run('fetch', '--quiet', '--depth=1', '--no-tags', '--', 'origin', commit);
    return;
  } catch (error) {
    const message = messageOf(error);
    if (!/--depth|shallow|not our ref|unadvertised object/.test(message)) throw error;
  }
  await run('fetch', '--quiet', '--tags', '--', 'origin', '+refs/heads/*:refs/remotes/origin/*');
  await run('cat-file', '-e', `${commit}^{commit}`);
}

/** What is left in an image is for everybody who has it. */
async function forgetCredentials(
  source: GitSource,
  directory: string,
  run: (...args: string[]) => Promise<string>,
): Promise<void> {
  await run('remote', 'set-url', '--', 'origin', shownRemote(source));
  await run('reflog', 'expire', '--all', '--expire=now');
  await rm(join(directory, '.git', 'FETCH_HEAD'), { force: true });
}

/** git lets no repository have files of that name, so all that bear it are its own. Links are not followed. */
async function removeGitFiles(directory: string, below: boolean): Promise<void> {
  await rm(join(directory, '.git'), { recursive: true, force: true });
  if (!below) return;
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isDirectory()) await removeGitFiles(join(directory, entry.name), true);
}

/** A subdirectory is one all the way: a link on it might lead out of the repository. */
async function subdirectoryOf({ subdirectory }: GitSource, directory: string): Promise<string> {
  let path = directory;
  for (const name of subdirectory.split('/').filter(part => part !== '')) {
    path = join(path, name);
    const stat = await lstat(path).catch(() => undefined);
    if (stat?.isDirectory() !== true)
      throw new EngineError(
        'notFound',
        `invalid subdir ${subdirectory}: no such directory in the repository`,
      );
  }
  return path;
}

async function git(
  source: GitSource,
  program: GitProgram,
  directory: string,
  args: readonly string[],
): Promise<string> {
  try {
    return await runGit(program, directory, args);
  } catch (error) {
    throw within(`failed to fetch remote ${shownRemote(source)}`, error);
  }
}
