import { type BigIntStats, lstatSync } from 'node:fs';
import { asPath } from '../../archive/names.ts';
import { lgetxattr } from '../../linux/files.ts';
import { ifExists } from './attributes.ts';
import type { Confinement } from './confinement.ts';
import { joined, sortedNames } from './pack.ts';
import { isOpaque, isWhiteout } from './whiteouts.ts';

export interface UpperChange {
  path: string;
  kind: 'modified' | 'added' | 'deleted';
}

/** What stands in an upper directory. */
interface UpperNode {
  path: string;
  stat: BigIntStats;
  opaque: boolean;
  capability: Buffer | undefined;
  children: UpperNode[];
}

/**
 * What an upper directory changes in the layers below, as `docker diff` tells it (pkg/archive/changes.go):
 * directories count as modified when anything in them is, what is new is told with everything in it, what is
 * deleted by its top alone; times of directories do not count.
 *
 * The upper directory belongs to a container that may be running and hostile: it is read first, from inside. The
 * layers never change, and are looked at afterwards, element by element.
 */
export function compareUpper(
  upper: string,
  lower: readonly string[],
  confinement: Confinement,
): UpperChange[] {
  confinement.enter(upper);
  let root: UpperNode;
  try {
    root = readUpper('/');
  } finally {
    confinement.leave();
  }
  const changes: UpperChange[] = [];
  compareDirectory(root, lower, changes);
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Bytes of all files, those with several names once. */
export function sizeOfTree(path: string): number {
  const seen = new Set<bigint>();
  let size = 0;
  const visit = (directory: string) => {
    for (const name of ifExists(() => sortedNames(directory)) ?? []) {
      const child = joined(directory, name);
      const stat = ifExists(() => lstatSync(asPath(child), { bigint: true }));
      if (stat === undefined) continue;
      if (stat.isDirectory()) visit(child);
      else if (!seen.has(stat.ino)) {
        if (stat.nlink > 1n) seen.add(stat.ino);
        size += Number(stat.size);
      }
    }
  };
  visit(path);
  return size;
}

function readUpper(path: string): UpperNode {
  const native = asPath(path);
  const stat = lstatSync(native, { bigint: true });
  const node: UpperNode = { path, stat, opaque: false, capability: undefined, children: [] };
  if (stat.isFile()) node.capability = lgetxattr(native, 'security.capability');
  if (!stat.isDirectory()) return node;
  node.opaque = isOpaque(native);
  for (const name of sortedNames(path)) {
    const child = ifExists(() => readUpper(joined(path, name)));
    if (child !== undefined) node.children.push(child);
  }
  return node;
}

/** @param lower the directories below that are merged with this one, topmost first. */
function compareDirectory(
  node: UpperNode,
  lower: readonly string[],
  changes: UpperChange[],
  parentHides = false,
): void {
  // What an opaque directory hides, it hides at all depths.
  const hides = parentHides || node.opaque;
  for (const child of node.children) compareEntry(child, lower, changes, hides);
  if (hides) addHidden(node, lower, changes);
}

function compareEntry(
  node: UpperNode,
  lower: readonly string[],
  changes: UpperChange[],
  hides: boolean,
): void {
  const name = node.path.slice(node.path.lastIndexOf('/') + 1);
  if (isWhiteout(node.stat)) {
    if (lookUp(name, lower) !== undefined) changes.push({ path: node.path, kind: 'deleted' });
    return;
  }
  const old = lookUp(name, lower);
  if (old === undefined) {
    addAll(node, changes);
    return;
  }
  const before = changes.length;
  if (node.stat.isDirectory() && old.stat.isDirectory())
    compareDirectory(node, old.directories, changes, hides);
  else for (const child of node.children) addAll(child, changes);
  if (changes.length > before || differs(node, old)) changes.push({ path: node.path, kind: 'modified' });
}

function addAll(node: UpperNode, changes: UpperChange[]): void {
  if (isWhiteout(node.stat)) return;
  changes.push({ path: node.path, kind: 'added' });
  for (const child of node.children) addAll(child, changes);
}

/** Below an opaque directory everything is gone that it does not have itself. */
function addHidden(node: UpperNode, lower: readonly string[], changes: UpperChange[]): void {
  const present = new Set(node.children.map(child => child.path));
  const names = new Set(lower.flatMap(directory => sortedNames(directory)));
  for (const name of names) {
    const path = joined(node.path, name);
    if (!present.has(path) && lookUp(name, lower) !== undefined) changes.push({ path, kind: 'deleted' });
  }
}

export interface LowerEntry {
  /** Where it stands: in the topmost layer that has it. */
  path: string;
  stat: BigIntStats;
  capability: Buffer | undefined;
  /** Of a directory: itself in every layer that is merged, topmost first. */
  directories: string[];
}

/** What overlayfs shows of a name in merged directories. */
export function lookUp(name: string, lower: readonly string[]): LowerEntry | undefined {
  let found: LowerEntry | undefined;
  for (const directory of lower) {
    const path = joined(directory, name);
    const stat = ifExists(() => lstatSync(asPath(path), { bigint: true }));
    if (stat === undefined) continue;
    if (isWhiteout(stat) || (found !== undefined && !stat.isDirectory())) return found;
    const capability = stat.isFile() ? lgetxattr(asPath(path), 'security.capability') : undefined;
    found ??= { path, stat, capability, directories: [] };
    if (!stat.isDirectory()) return found;
    found.directories.push(path);
    if (isOpaque(asPath(path))) return found;
  }
  return found;
}

export function differs(
  { stat, capability }: Pick<UpperNode, 'stat' | 'capability'>,
  old: Pick<LowerEntry, 'stat' | 'capability'>,
): boolean {
  if (stat.mode !== old.stat.mode || stat.uid !== old.stat.uid || stat.gid !== old.stat.gid) return true;
  if (stat.rdev !== old.stat.rdev) return true;
  if (!(capability ?? none).equals(old.capability ?? none)) return true;
  return !stat.isDirectory() && (stat.size !== old.stat.size || !sameTime(stat.mtimeNs, old.stat.mtimeNs));
}

/** An archive may have cut the nanoseconds off one of them (sameFsTime). */
function sameTime(a: bigint, b: bigint): boolean {
  const second = 1_000_000_000n;
  return a === b || (a / second === b / second && (a % second === 0n || b % second === 0n));
}

const none = Buffer.alloc(0);
