import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import { EngineError } from '../stdx/errors.ts';
import type { ConfinedRoot } from '../storage/confined.ts';
import type { Storage } from '../storage/storage.ts';
import type { BroughtContext } from './request.ts';
import { type KnownTrees, SourceTree, TreeMemory } from './source-tree.ts';

/** Ids of the builder's snapshots begin so: those found at start are leftovers, nothing adopts them. */
export const snapshotPrefix = 'build-';

export function newSnapshotId(): string {
  return `${snapshotPrefix}${randomBytes(16).toString('hex')}`;
}

/** The file system of a stage or an image, to read from. */
export interface View {
  /** Mounted, read-only. */
  path: string;
  root: ConfinedRoot;
}

/**
 * What one build has open: its context, read-only views of stages and images, temporary files. Everything is made
 * when it is first asked for and gone after close().
 */
export class Workspace {
  readonly #storage: Storage;
  #contextDirectory: string | undefined;
  readonly #temporaryParent: string;
  readonly #known: KnownTrees;
  readonly #views = new Map<string, Promise<View>>();
  readonly #trees = new Map<string, SourceTree>();
  readonly #closers: (() => Promise<void>)[] = [];
  #context: Promise<SourceTree> | undefined;
  #bring: (() => Promise<BroughtContext>) | undefined;
  #closed = false;
  #temporary: Promise<string> | undefined;
  #temporaryRoot: Promise<ConfinedRoot> | undefined;

  /** @param temporary a directory for temporary files, on the data-root. @param known what earlier builds found out */
  constructor(storage: Storage, contextDirectory: string | undefined, temporary: string, known: KnownTrees) {
    this.#storage = storage;
    this.#contextDirectory = contextDirectory;
    this.#temporaryParent = temporary;
    this.#known = known;
  }

  /** Only when it is here. */
  get contextDirectory(): string {
    if (this.#contextDirectory === undefined)
      throw new EngineError('internal', 'the context is not here yet');
    return this.#contextDirectory;
  }

  /** Before anything looks at the context. */
  useContext(directory: string): void {
    this.#contextDirectory = directory;
  }

  /** The context is not here yet: the first who asks for it has it brought. */
  expectContext(bring: () => Promise<BroughtContext>): void {
    this.#bring = bring;
  }

  /** When all of it is here. */
  context(): Promise<SourceTree> {
    this.#context ??= this.#bringContext();
    return this.#context;
  }

  /** The files of view(), which is made when they are looked at. */
  treeOf(chainId: Digest | undefined): SourceTree {
    return this.#knownTree(chainId ?? 'nothing', async () => (await this.view(chainId)).root);
  }

  /** Temporary files that are made of a text. @param digest of all that they are made of */
  treeOfText(digest: Digest): SourceTree {
    return this.#knownTree(`text ${digest}`, () => this.temporaryRoot());
  }

  /** @param chainId undefined: an empty file system. */
  view(chainId: Digest | undefined): Promise<View> {
    const key = chainId ?? '';
    let view = this.#views.get(key);
    if (view === undefined) {
      view = this.#openView(chainId);
      this.#views.set(key, view);
    }
    return view;
  }

  /** A read-only view for a step's process to mount: with a user namespace it sees other owners than we do. */
  async mountable(chainId: Digest | undefined): Promise<string> {
    if (this.#storage.mapped === undefined) return (await this.view(chainId)).path;
    return this.#mountNew(chainId, { readOnly: true, mapped: true });
  }

  /** A writable file system of its own on top of a stage or image, whose changes are thrown away. */
  async scratchCopy(chainId: Digest | undefined): Promise<string> {
    return this.#mountNew(chainId, { mapped: true, unsynced: true });
  }

  /** Another directory, to read from. */
  rootOf(directory: string): Promise<ConfinedRoot> {
    return this.#confine(directory);
  }

  /** The same, to be opened when it is looked at. */
  treeIn(directory: string, memory = new TreeMemory()): SourceTree {
    return new SourceTree(() => this.#confine(directory), memory);
  }

  /** A new directory right below that of temporaryRoot(). */
  async temporaryDirectory(): Promise<string> {
    this.#temporary ??= this.#makeTemporary();
    return mkdtemp(join(await this.#temporary, 'step-'));
  }

  /** A directory with one file in it. */
  async temporaryFile(name: string, content: string, mode: number): Promise<string> {
    if (basename(name) !== name || name === '.' || name === '..')
      throw new EngineError('invalid', `invalid name of a heredoc: ${name}`);
    const directory = await this.temporaryDirectory();
    await writeFile(join(directory, name), content, { mode });
    return directory;
  }

  /** All temporary files, to read from. */
  temporaryRoot(): Promise<ConfinedRoot> {
    this.#temporary ??= this.#makeTemporary();
    this.#temporaryRoot ??= this.#temporary.then(directory => this.#confine(directory));
    return this.#temporaryRoot;
  }

  /** What goes on by itself, and must have come to its end when the build has. */
  settlesBefore(work: Promise<void>): void {
    work.catch(() => {});
    this.#closers.push(() => work);
  }

  /** Closes in reverse order, all of it even when something fails. @throws the first failure */
  async close(): Promise<void> {
    // A context that is still on its way finds nobody here.
    this.#closed = true;
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async #bringContext(): Promise<SourceTree> {
    const brought: BroughtContext = (await this.#bring?.()) ?? { directory: this.contextDirectory };
    this.#contextDirectory = brought.directory;
    return this.treeIn(brought.directory, brought.memory);
  }

  #knownTree(content: string, open: () => Promise<ConfinedRoot>): SourceTree {
    let tree = this.#trees.get(content);
    if (tree === undefined) {
      tree = new SourceTree(open, this.#known.of(content));
      this.#trees.set(content, tree);
    }
    return tree;
  }

  async #confine(directory: string): Promise<ConfinedRoot> {
    const root = await this.#storage.confine(directory);
    if (this.#closed) {
      await root.close();
      throw new EngineError('cancelled', 'context canceled');
    }
    this.#closers.push(() => root.close());
    return root;
  }

  async #makeTemporary(): Promise<string> {
    await mkdir(this.#temporaryParent, { recursive: true, mode: 0o700 });
    const directory = await mkdtemp(join(this.#temporaryParent, 'build-'));
    this.#closers.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  async #openView(chainId: Digest | undefined): Promise<View> {
    const path = await this.#mountNew(chainId, { readOnly: true });
    return { path, root: await this.#confine(path) };
  }

  async #mountNew(
    chainId: Digest | undefined,
    options: { readOnly?: boolean; mapped?: boolean; unsynced?: boolean },
  ): Promise<string> {
    const id = newSnapshotId();
    await this.#storage.snapshots.create(id, chainId, { mountPoints: false });
    this.#closers.push(() => this.#storage.snapshots.remove(id));
    return this.#storage.snapshots.mount(id, options);
  }
}
