import type { ConfinedRoot, HashedTree } from '../storage/confined.ts';

/** Of one tree; Dockerfiles that ask ever new questions of it start over. */
const maxAnswers = 1000;

/** What is known of a tree of files for as long as it stays as it is: from one build to the next. */
export class TreeMemory {
  /** What was found out, by the question. */
  readonly #answers = new Map<string, { answer: unknown }>();
  readonly #hashes = new Map<string, HashedTree>();
  readonly #hashesBefore: ReadonlyMap<string, HashedTree>;
  #hashBytes = 0;

  constructor(hashesBefore: ReadonlyMap<string, HashedTree> = new Map()) {
    this.#hashesBefore = hashesBefore;
  }

  /** Nothing was asked yet. */
  get isEmpty(): boolean {
    return this.#answers.size === 0;
  }

  /** What its hashes take. */
  get hashBytes(): number {
    return this.#hashBytes;
  }

  find(question: string): { answer: unknown } | undefined {
    return this.#answers.get(question);
  }

  remember(question: string, answer: unknown): void {
    if (this.#answers.size >= maxAnswers) this.#answers.clear();
    this.#answers.set(question, { answer });
  }

  /** @param path undefined: of a part of a directory */
  rememberHash(path: string | undefined, tree: HashedTree): void {
    this.#hashBytes += tree.packed.length;
    if (path !== undefined) this.#hashes.set(path, tree);
  }

  /** Of the tree as it was before it was changed: most of the files are the same as a rule. */
  hashBefore(path: string): HashedTree | undefined {
    return this.#hashesBefore.get(path);
  }

  /** What is left of it when the tree changes. */
  afterChange(): TreeMemory {
    return new TreeMemory(new Map([...this.#hashesBefore, ...this.#hashes]));
  }
}

/** How many trees are remembered that never change, and how many bytes their hashes may take together. */
const maxKnown = 64;
const maxKnownBytes = 32 << 20;

/** Memories of what is named by its content: file systems by their chain ids, texts by their digests. */
export class KnownTrees {
  /** The one asked for last at the end. */
  readonly #memories = new Map<string, TreeMemory>();

  of(content: string): TreeMemory {
    const memory = this.#memories.get(content) ?? new TreeMemory();
    this.#memories.delete(content);
    this.#forgetOldest(memory.hashBytes);
    this.#memories.set(content, memory);
    return memory;
  }

  /** One more will be there, with so many bytes. */
  #forgetOldest(bytes: number): void {
    let count = 1;
    let sum = bytes;
    for (const [content, { hashBytes }] of [...this.#memories].reverse()) {
      count++;
      sum += hashBytes;
      if (count > maxKnown || sum > maxKnownBytes) this.#memories.delete(content);
    }
  }
}

/**
 * A tree of files to copy from or to mount. To open it takes a worker and perhaps a mount, so it is opened when
 * something is asked that is not remembered: a build whose steps are all cached opens none.
 */
export class SourceTree {
  readonly #open: () => Promise<ConfinedRoot>;
  readonly #memory: TreeMemory;
  /** Questions of this build; those that another asks at the same time may end with it. */
  readonly #asked = new Map<string, Promise<unknown>>();
  #root: Promise<ConfinedRoot> | undefined;

  constructor(open: () => Promise<ConfinedRoot>, memory: TreeMemory) {
    this.#open = open;
    this.#memory = memory;
  }

  /** Something has been asked of it before. */
  get isKnown(): boolean {
    return !this.#memory.isEmpty;
  }

  /** The tree itself, always the same. */
  root(): Promise<ConfinedRoot> {
    this.#root ??= this.#open();
    return this.#root;
  }

  /**
   * What `find` finds, or found when the same was asked before. Failures are not remembered.
   * @param question all that the answer depends on besides the tree; its first word says what kind of an answer it is
   */
  recall<T>(question: readonly [kind: string, ...unknown[]], find: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(question);
    let answer = this.#asked.get(key);
    if (answer === undefined) {
      answer = this.#answer(key, find);
      this.#asked.set(key, answer);
    }
    return answer as Promise<T>;
  }

  /** Asked for once, however many steps take the same. @throws EngineError `notFound` */
  hash(path: string): Promise<HashedTree> {
    return this.recall(['hash', path], async () => {
      const root = await this.root();
      const tree = await root.hashTree(path, { known: this.#memory.hashBefore(path) });
      this.#memory.rememberHash(path, tree);
      return tree;
    });
  }

  /** @param only as in ReadTarOptions @throws EngineError `notFound` */
  async hashOnly(path: string, only: readonly string[]): Promise<HashedTree> {
    const root = await this.root();
    const tree = await root.hashTree(path, { only });
    this.#memory.rememberHash(undefined, tree);
    return tree;
  }

  async #answer(key: string, find: () => Promise<unknown>): Promise<unknown> {
    const known = this.#memory.find(key);
    if (known !== undefined) return known.answer;
    const answer = await find();
    this.#memory.remember(key, answer);
    return answer;
  }
}
