import { pruneContext } from './dockerignore.ts';
import type { GitCheckouts } from './git/checkouts.ts';
import type { NamedContext } from './request.ts';
import type { SourceTree } from './source-tree.ts';
import type { Workspace } from './workspace.ts';

export type NamedContextTable = Readonly<Record<string, NamedContext>>;

/**
 * What a name of FROM or --from means among the contexts; like BuildKit `alpine`, `alpine:latest` and
 * `docker.io/library/alpine` are the same name.
 */
export function findNamedContext(
  contexts: NamedContextTable,
  name: string,
): { name: string; context: NamedContext } | undefined {
  const wanted = familiar(name);
  if (wanted === 'scratch' || wanted === 'context') return undefined;
  const found = Object.keys(contexts).find(key => familiar(key) === wanted);
  return found === undefined ? undefined : { name: found, context: contexts[found]! };
}

function familiar(name: string): string {
  return name
    .toLowerCase()
    .replace(/^docker\.io\/(library\/)?/, '')
    .replace(/:latest$/, '');
}

/** The contexts of one build that are files: each is made ready when it is first asked for. */
export class NamedDirectories {
  readonly #contexts: NamedContextTable;
  readonly #workspace: Workspace;
  readonly #git: GitCheckouts;
  readonly #trees = new Map<string, Promise<SourceTree>>();

  constructor(contexts: NamedContextTable, workspace: Workspace, git: GitCheckouts) {
    this.#contexts = contexts;
    this.#workspace = workspace;
    this.#git = git;
  }

  /** @param name a key of the contexts */
  tree(name: string, signal: AbortSignal): Promise<SourceTree> {
    let tree = this.#trees.get(name);
    if (tree === undefined) {
      tree = this.#bring(this.#contexts[name]!, signal);
      this.#trees.set(name, tree);
    }
    return tree;
  }

  async #bring(context: NamedContext, signal: AbortSignal): Promise<SourceTree> {
    if (context.type === 'git') {
      const { directory } = await this.#git.contextOf(context.url, signal);
      return this.#workspace.treeIn(directory);
    }
    if (context.type !== 'directory') throw new Error(`a context of type ${context.type} is no directory`);
    await pruneContext(context.directory);
    return this.#workspace.treeIn(context.directory, context.memory);
  }
}
