import { type BigIntStats, type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../../../stdx/errors.ts';

export interface TreeWatcherOptions {
  /** By path below the root. */
  skips?(below: string): boolean;
  /** What changed, came or went since the last call, by path below the root, in order; '' is the root. */
  onChanges(below: string[]): void;
  onError(error: Error): void;
  /** How long nothing must have happened before it is told, in milliseconds. */
  quietMs?: number;
}

/** The kernel's queue has room for 16384 events; what comes beyond is lost without a word. */
const eventsWorthALook = 8192;
/** It is told after so many quiet periods even when there is no end of it. */
const patiencePeriods = 10;

/**
 * Watches a directory and all below it, or one file, by one inotify watch for each directory. Events only say where to
 * look: what is told is the difference to what was there before, so a file that is replaced by another, a tree that
 * goes as a whole and events that were lost all come out right. Links are not followed.
 */
export class TreeWatcher {
  readonly #root: string;
  readonly #options: TreeWatcherOptions;
  /** What identifies the state of everything below the root, by path. */
  readonly #known = new Map<string, string>();
  readonly #watchers = new Map<string, FSWatcher>();
  /** Only this name in the root's directory, when the root is a file. */
  readonly #only: string | undefined;
  #suspects = new Set<string>();
  #eventCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #firstMs = 0;

  /** @throws EngineError notFound when there is nothing at `root` */
  constructor(root: string, options: TreeWatcherOptions) {
    this.#options = options;
    const stat = statOf(root);
    if (stat === undefined) throw new EngineError('notFound', `path ${JSON.stringify(root)} does not exist`);
    this.#only = stat.isDirectory() ? undefined : basename(root);
    this.#root = stat.isDirectory() ? root : dirname(root);
    if (this.#only === undefined) this.#look('', new Set());
    else {
      this.#watch('');
      this.#known.set('', stateOf(stat));
    }
  }

  /** Everything that is there now, directories too, by path below the root. */
  paths(): string[] {
    return [...this.#known.keys()].sort();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(below: string): void {
    if (this.#watchers.has(below)) return;
    try {
      const watcher = watch(this.#full(below), (_, name) => this.#suspect(below, name));
      watcher.on('error', () => this.#unwatch(below));
      this.#watchers.set(below, watcher);
    } catch (error) {
      // It may have gone meanwhile; its parent tells.
      if (errnoOf(error) === 'ENOENT') return;
      const hint = errnoOf(error) === 'ENOSPC' ? ' (fs.inotify.max_user_watches is too low)' : '';
      this.#options.onError(
        new EngineError('internal', `watching ${this.#full(below)}: ${messageOf(error)}${hint}`),
      );
    }
  }

  #unwatch(below: string): void {
    this.#watchers.get(below)?.close();
    this.#watchers.delete(below);
  }

  #full(below: string): string {
    return below === '' ? this.#root : `${this.#root}/${below}`;
  }

  #suspect(directory: string, name: string | null): void {
    if (this.#only !== undefined) {
      if (name !== null && name !== this.#only) return;
      this.#suspects.add('');
    } else {
      this.#suspects.add(name === null ? directory : join(directory, name));
    }
    this.#eventCount++;
    const quietMs = this.#options.quietMs ?? 200;
    const nowMs = Date.now();
    if (this.#timer === undefined) this.#firstMs = nowMs;
    else if (nowMs - this.#firstMs > quietMs * patiencePeriods) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), quietMs);
  }

  #tell(): void {
    this.#timer = undefined;
    const lost = this.#eventCount > eventsWorthALook && this.#only === undefined;
    const suspects = this.#suspects;
    this.#suspects = new Set();
    this.#eventCount = 0;
    const changed = new Set<string>();
    if (lost) this.#lookEverywhere(changed);
    // Directories before what is in them: what has gone with one is forgotten in one go.
    else for (const below of [...suspects].sort()) this.#look(below, changed);
    if (changed.size > 0) this.#options.onChanges([...changed].sort());
  }

  #lookEverywhere(changed: Set<string>): void {
    const seen = new Set<string>();
    this.#look('', changed, seen);
    for (const known of [...this.#known.keys()]) if (!seen.has(known)) this.#forget(known, changed);
  }

  /** @param seen what was come by; with it, directories that were there before are looked into as well */
  #look(below: string, changed: Set<string>, seen?: Set<string>): void {
    if (below !== '' && this.#options.skips?.(below) === true) return;
    const stat = statOf(this.#full(this.#only ?? below));
    const before = this.#known.get(below);
    if (stat === undefined) {
      this.#forget(below, changed);
      return;
    }
    seen?.add(below);
    const state = stateOf(stat);
    const isOther = before !== undefined && identityOf(before) !== identityOf(state);
    // What was below a directory that is no more went with it.
    if (isOther) this.#forget(below, changed);
    if (state !== before) {
      this.#known.set(below, state);
      changed.add(below);
    }
    if (!stat.isDirectory() || (before !== undefined && !isOther && seen === undefined)) return;
    // First watched, then read: what comes in between is found twice rather than never.
    this.#watch(below);
    for (const name of namesIn(this.#full(below))) this.#look(join(below, name), changed, seen);
  }

  #forget(below: string, changed: Set<string>): void {
    const state = this.#known.get(below);
    if (state === undefined) return;
    const isDirectory = state.startsWith('directory');
    const gone = isDirectory
      ? [...this.#known.keys()].filter(
          known => known === below || below === '' || known.startsWith(`${below}/`),
        )
      : [below];
    for (const known of gone) {
      this.#known.delete(known);
      this.#unwatch(known);
      changed.add(known);
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // It has gone meanwhile; its parent tells.
    return [];
  }
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    // What was a directory above it is a file by now, or nobody may look.
    return undefined;
  }
}

/** As long as this is the same, nothing has changed; of a directory only itself counts, not what is in it. */
function stateOf(stat: BigIntStats): string {
  const { mode, size, mtimeNs, ino } = stat;
  return stat.isDirectory() ? `directory ${ino} ${mode}` : `file ${ino} ${mode} ${size} ${mtimeNs}`;
}

function identityOf(state: string): string {
  return state.startsWith('directory') ? state.slice(0, state.lastIndexOf(' ')) : 'file';
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
