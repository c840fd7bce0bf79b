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
 * goes as a whole and events that were lost all come out right. Links are not followed. What is not there yet, or not any
 * more, is waited for.
 */
export class TreeWatcher {
  readonly #path: string;
  readonly #options: TreeWatcherOptions;
  /** The directory that is watched: at the path or, when that is a file, around it. */
  #root = '';
  /** What identifies the state of everything below the root, by path. */
  readonly #known = new Map<string, string>();
  readonly #watchers = new Map<string, FSWatcher>();
  /** Only this name in the root's directory, when the path is a file's. */
  #only: string | undefined;
  /** While nothing is at the path: watches the nearest directory above it. */
  #above: FSWatcher | undefined;
  #suspects = new Set<string>();
  #eventCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #firstMs = 0;

  constructor(path: string, options: TreeWatcherOptions) {
    this.#path = path;
    this.#options = options;
    this.#begin(new Set());
  }

  /** Whether something is at the path. */
  get found(): boolean {
    return this.#known.size > 0;
  }

  /** Everything that is there now, directories too, by path below the root. */
  paths(): string[] {
    return [...this.#known.keys()].sort();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#above?.close();
  }

  #begin(changed: Set<string>): void {
    this.#above?.close();
    this.#above = undefined;
    const stat = statOf(this.#path);
    if (stat === undefined) {
      this.#watchAbove();
      return;
    }
    this.#only = stat.isDirectory() ? undefined : basename(this.#path);
    this.#root = stat.isDirectory() ? this.#path : dirname(this.#path);
    if (this.#only !== undefined) this.#watch('');
    this.#look('', changed);
  }

  #watchAbove(): void {
    let above = this.#path;
    do {
      above = dirname(above);
      this.#above = this.#open(above, () => this.#lookSoon());
    } while (this.#above === undefined && above !== '/');
    // It may have come between the two.
    if (statOf(this.#path) !== undefined) this.#lookSoon();
  }

  #watch(below: string): void {
    if (this.#watchers.has(below)) return;
    const watcher = this.#open(this.#full(below), name => this.#suspect(below, name));
    if (watcher === undefined) return;
    watcher.on('error', () => this.#unwatch(below));
    this.#watchers.set(below, watcher);
  }

  #open(directory: string, onEvent: (name: string | null) => void): FSWatcher | undefined {
    try {
      return watch(directory, (_, name) => onEvent(name));
    } catch (error) {
      // It may have gone meanwhile; its parent tells.
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      const hint = errnoOf(error) === 'ENOSPC' ? ' (fs.inotify.max_user_watches is too low)' : '';
      this.#options.onError(new EngineError('internal', `watching ${directory}: ${messageOf(error)}${hint}`));
      return undefined;
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
    // So its end and its way elsewhere are told.
    const isRoot = directory === '' && name === basename(this.#root);
    if (this.#only !== undefined) {
      if (name !== null && name !== this.#only && !isRoot) return;
      this.#suspects.add('');
    } else {
      this.#suspects.add(name === null ? directory : join(directory, name));
      if (isRoot) this.#suspects.add('');
    }
    this.#eventCount++;
    this.#lookSoon();
  }

  #lookSoon(): void {
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
    if (!this.found) this.#begin(changed);
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
    if (isOther && below === '') {
      this.#begin(changed);
      return;
    }
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
