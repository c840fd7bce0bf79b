import { digestOf } from '../../oci/digest.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Material } from '../attest/materials.ts';
import type { CopyInstruction } from '../dockerfile/instructions.ts';
import type { GitCheckouts } from '../git/checkouts.ts';
import { type GitSource, shownRemote } from '../git/git-source.ts';
import type { Workspace } from '../workspace.ts';
import type { PreparedSource } from './prepared-source.ts';
import { includedEntries } from './sources.ts';

export interface GitContext {
  git: GitCheckouts;
  workspace: Workspace;
  material(material: Material): void;
  signal: AbortSignal;
}

/** ADD of a git repository: the commit says what is in it, so that nothing is fetched when the step is cached. */
export async function prepareGit(
  written: GitSource,
  instruction: Pick<CopyInstruction, 'checksum' | 'keepGitDir'>,
  exclude: readonly string[],
  { git, workspace, material, signal }: GitContext,
): Promise<PreparedSource> {
  const source: GitSource = {
    ...written,
    checksum: agreed('checksum', instruction.checksum, written.checksum),
    keepGitDir: agreed('keep-git-dir', instruction.keepGitDir, written.keepGitDir) ?? false,
  };
  const commit = await git.commitOf(source, signal);
  const url = source.ref === '' ? shownRemote(source) : `${shownRemote(source)}#${source.ref}`;
  material({ type: 'git', url, commit });
  const { remote, ref, subdirectory, keepGitDir, submodules } = source;
  const kept = keepGitDir === true ? [remote, ref] : null;
  const found = { path: '/', isDirectory: true };
  return {
    found,
    hash: digestOf(JSON.stringify(['git', commit, subdirectory, submodules, kept, exclude])),
    open: async running => {
      const root = await workspace.rootOf((await git.treeOf(source, running)).directory);
      return { root, path: '/', only: await includedEntries(root, found, exclude) };
    },
  };
}

function agreed<T extends string | boolean>(
  name: string,
  flag: T | undefined,
  query: T | undefined,
): T | undefined {
  if (flag === undefined || query === undefined || flag === query) return flag ?? query;
  throw new EngineError('invalid', `${name} conflicts: "${flag}" vs "${query}"`);
}
