import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { IgnoreRules, type IgnoreState } from '../../build/patterns/ignore.ts';

/** Which files of a directory the daemon asked for; no patterns at all: everything. */
export interface FileRequest {
  include: readonly string[];
  exclude: readonly string[];
  /** Paths that may lead through symbolic links, whose targets are wanted as well. */
  follow: readonly string[];
}

export interface Choice {
  /** It is wanted itself. */
  wanted: boolean;
  /** Something below it can be wanted. */
  enter: boolean;
}

const whole: Choice = { wanted: true, enter: true };
const single: Choice = { wanted: true, enter: false };

/** Says of each path of a walk, parents before children, whether it is wanted. */
export class FileSelection {
  readonly #includes: IgnoreRules | undefined;
  /** Patterns without wildcards, as far as they go. */
  readonly #prefixes: readonly string[];
  readonly #excludes: IgnoreRules;
  readonly #includeStates = new Map<string, IgnoreState>();
  readonly #excludeStates = new Map<string, IgnoreState>();

  constructor(root: string, { include, exclude, follow }: FileRequest) {
    const patterns = [...include, ...followLinks(root, follow)].map(pattern => posix.normalize(pattern));
    const all = patterns.length === 0 || patterns.some(pattern => pattern === '.' || pattern === '/');
    this.#includes = all ? undefined : new IgnoreRules(patterns);
    this.#prefixes = patterns.map(pattern => /^[^*?[\\]*/.exec(pattern)![0]);
    this.#excludes = new IgnoreRules(exclude);
  }

  choose(path: string, isDirectory: boolean): Choice {
    if (this.#includes === undefined && this.#excludes.isEmpty) return isDirectory ? whole : single;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const excluded = this.#excludes.step(path, this.#excludeStates.get(parent));
    let included = true;
    if (this.#includes !== undefined) {
      const step = this.#includes.step(path, this.#includeStates.get(parent));
      included = step.ignored;
      if (isDirectory) this.#includeStates.set(path, step.state);
    }
    if (!isDirectory) return { wanted: included && !excluded.ignored, enter: false };
    this.#excludeStates.set(path, excluded.state);
    const leads = included || this.#prefixes.some(prefix => isOnTheWay(path, prefix));
    return {
      wanted: included && !excluded.ignored,
      enter: leads && (!excluded.ignored || this.#excludes.hasExceptions),
    };
  }
}

/** A directory `path` can hold something whose name begins with `prefix`. */
function isOnTheWay(path: string, prefix: string): boolean {
  return prefix.startsWith(`${path}/`) || `${path}/`.startsWith(prefix);
}

/** The paths, and where links in them lead; those out of the directory lead to the same path below it. */
export function followLinks(root: string, paths: readonly string[]): string[] {
  const resolved = new Set<string>();
  for (const path of paths) follow(root, path, resolved);
  return [...resolved].sort();
}

function follow(root: string, path: string, resolved: Set<string>): void {
  const parts = posix
    .join('/', path)
    .split('/')
    .filter(part => part !== '');
  let current = '';
  for (const [index, part] of parts.entries()) {
    current = current === '' ? part : `${current}/${part}`;
    const targets = targetsOf(root, current);
    const isLast = index === parts.length - 1;
    if (!isLast && targets.length === 0) continue;
    if (resolved.has(current)) return;
    resolved.add(current);
    if (targets.length === 0) return;
    const rest = parts.slice(index + 1).join('/');
    for (const target of targets) follow(root, posix.join(target, rest), resolved);
    return;
  }
}

/** Where the links lead that a path names, whose last element may be a pattern. */
function targetsOf(root: string, path: string): string[] {
  const base = posix.basename(path);
  const parent = posix.dirname(path);
  if (!/[*?[]/.test(base)) return linkTarget(root, path);
  const names = new IgnoreRules([base]);
  return namesIn(posix.join(root, parent))
    .filter(name => names.ignores(name))
    .flatMap(name => linkTarget(root, posix.join(parent, name)));
}

function linkTarget(root: string, path: string): string[] {
  const full = posix.join(root, path);
  const stat = lstatSync(full, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() !== true) return [];
  const target = readlinkSync(full);
  return [posix.join('/', posix.isAbsolute(target) ? target : posix.join(posix.dirname(path), target))];
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // No such directory: then there is nothing to follow.
    return [];
  }
}
