import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import type { BuilderOptions } from '../builder.ts';
import type { BuildRequest } from '../request.ts';
import type { Workspace } from '../workspace.ts';
import { type GitProgram, makeGitHome } from './git-program.ts';
import { type GitSource, parseGitContext } from './git-source.ts';
import { checkOut, type GitTree, resolveCommit } from './repository.ts';

/** The git repositories of one build: each is asked and fetched once, and gone with the build's workspace. */
export class GitCheckouts {
  readonly #workspace: Workspace;
  readonly #request: Pick<BuildRequest, 'secrets' | 'ssh' | 'buildArgs'>;
  readonly #program: Pick<BuilderOptions, 'git' | 'proxyEnv'>;
  readonly #commits = new Map<string, Promise<string>>();
  readonly #trees = new Map<string, Promise<GitTree>>();

  constructor(
    workspace: Workspace,
    request: Pick<BuildRequest, 'secrets' | 'ssh' | 'buildArgs'>,
    program: Pick<BuilderOptions, 'git' | 'proxyEnv'>,
  ) {
    this.#workspace = workspace;
    this.#request = request;
    this.#program = program;
  }

  /** The commit a source means; the same all through a build, though the branch may move. */
  commitOf(source: GitSource, signal: AbortSignal): Promise<string> {
    return once(this.#commits, JSON.stringify([source.remote, source.ref, source.checksum]), async () =>
      resolveCommit(source, await this.#programFor(source, signal)),
    );
  }

  treeOf(source: GitSource, signal: AbortSignal): Promise<GitTree> {
    return once(this.#trees, JSON.stringify(source), async () => {
      const commit = await this.commitOf(source, signal);
      const directory = join(await this.#workspace.temporaryDirectory(), 'tree');
      return checkOut({ ...source, commit }, directory, await this.#programFor(source, signal));
    });
  }

  /** A repository as a build context. @throws EngineError `invalid` for what is none */
  async contextOf(url: string, signal: AbortSignal): Promise<GitTree> {
    const source = parseGitContext(url);
    if (source === undefined) throw new EngineError('invalid', `invalid git context ${url}`);
    const keep = this.#request.buildArgs['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '';
    const keepGitDir = source.keepGitDir ?? ['1', 't', 'true'].includes(keep.toLowerCase());
    return this.treeOf({ ...source, keepGitDir }, signal);
  }

  async #programFor({ remote }: GitSource, signal: AbortSignal): Promise<GitProgram> {
    const home = join(await this.#workspace.temporaryDirectory(), 'home');
    await mkdir(home);
    await makeGitHome(home);
    const agent = /^https?:|^git:/.test(remote) ? undefined : await this.#request.ssh?.('default');
    return {
      path: this.#program.git,
      proxyEnv: this.#program.proxyEnv,
      home,
      ...(agent === undefined ? {} : { agent: agent.socketPath }),
      header: await this.#header(remote),
      signal,
    };
  }

  /** The secrets that Docker's clients send for repositories: for one host, or for all. */
  async #header(remote: string): Promise<GitProgram['header']> {
    const { secrets } = this.#request;
    if (secrets === undefined || !/^https?:/.test(remote) || !URL.canParse(remote)) return undefined;
    const { origin, host } = new URL(remote);
    for (const suffix of [`.${host}`, '']) {
      const header = await secrets(`GIT_AUTH_HEADER${suffix}`);
      const token = header === undefined ? await secrets(`GIT_AUTH_TOKEN${suffix}`) : undefined;
      const value =
        header?.toString('utf8') ??
        (token &&
          `basic ${Buffer.from(`x-access-token:${token.toString('utf8').trim()}`).toString('base64')}`);
      if (value !== undefined) return { url: `${origin}/`, value: `Authorization: ${value.trim()}` };
    }
    return undefined;
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let result = known.get(key);
  if (result === undefined) {
    result = make();
    known.set(key, result);
  }
  return result;
}
