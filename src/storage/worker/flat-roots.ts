import {
  type BigIntStats,
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { asPath } from '../../archive/names.ts';
import { lchown, lgetxattr, majorOf, minorOf, mkfifo, mknod, utimensat } from '../../linux/files.ts';
import { removeRecursively } from '../../stdx/remove-recursively.ts';
import { ifExists } from './attributes.ts';
import type { Confinement } from './confinement.ts';
import { joined, sortedNames } from './pack.ts';
import { differs, type LowerEntry, lookUp } from './upper.ts';
import { makeWhiteout } from './whiteouts.ts';
import { readXattrs, writeXattrs } from './xattrs.ts';

/*
 * Roots without an overlay (the driver vfs): all layers copied into one directory, and what was changed in it found by
 * comparing. It is told as an overlay's upper directory, so that all who read those can go on with it.
 */

/** Copies what an overlay of the layers would show. The layers never change; the target is new and nobody else's. */
export function flattenLayers(lower: readonly string[], target: string): void {
  copyDirectory(lower, target, new Map());
}

/** @param links first names of files with several, by device and inode */
function copyDirectory(lower: readonly string[], target: string, links: Map<string, string>): void {
  for (const name of namesIn(lower)) {
    const entry = lookUp(name, lower);
    if (entry === undefined) continue;
    const path = joined(target, name);
    if (entry.stat.isDirectory()) {
      mkdirSync(asPath(path), { mode: 0o700 });
      copyDirectory(entry.directories, path, links);
    } else if (!copyEntry(entry, path, links)) continue;
    giveAttributes(entry.path, entry.stat, path);
  }
}

/** @returns whether there is something new that wants its attributes */
function copyEntry({ path: source, stat }: LowerEntry, target: string, links: Map<string, string>): boolean {
  const inode = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? links.get(inode) : undefined;
  if (first !== undefined) {
    linkSync(asPath(first), asPath(target));
    return false;
  }
  if (stat.nlink > 1n) links.set(inode, target);
  if (stat.isFile()) copyFileSync(asPath(source), asPath(target), constants.COPYFILE_FICLONE);
  else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(asPath(source), 'buffer'), asPath(target));
  else if (stat.isFIFO()) mkfifo(asPath(target), 0o600);
  else if (stat.isSocket()) return false;
  else mknod(asPath(target), Number(stat.mode), majorOf(stat.rdev), minorOf(stat.rdev));
  return true;
}

function giveAttributes(source: string, stat: BigIntStats, target: string): void {
  lchown(asPath(target), Number(stat.uid), Number(stat.gid));
  // After the owner, which takes setuid away.
  if (!stat.isSymbolicLink()) chmodSync(asPath(target), Number(stat.mode & 0o7777n));
  writeXattrs(asPath(target), readXattrs(asPath(source)));
  utimensat(asPath(target), stat.atimeNs, stat.mtimeNs);
}

/** What stands in a flat root. */
interface FlatNode {
  name: string;
  stat: BigIntStats;
  capability: Buffer | undefined;
  children: FlatNode[];
}

type Difference =
  | { name: string; kind: 'gone' }
  /** As it is, with everything in it. */
  | { name: string; kind: 'whole'; node: FlatNode }
  /** A directory that was there. */
  | { name: string; kind: 'within'; differences: Difference[] };

/**
 * Makes `<directory>/upper` what an overlay's upper directory would be had `<directory>/merged` been one. Files are
 * hard links. Whoever has the root may be running and hostile: it is read and linked from inside of the directory, and
 * the layers, which never change, are compared from outside.
 */
export function deriveUpper(directory: string, lower: readonly string[], confinement: Confinement): void {
  const inside = <T>(work: () => T): T => {
    confinement.enter(directory);
    try {
      return work();
    } finally {
      confinement.leave();
    }
  };
  const root = inside(() => readNode('', '/merged'));
  if (root === undefined) return;
  const differences = compare(root, lower);
  inside(() => {
    for (const name of sortedNames('/upper')) removeRecursively(joined('/upper', name));
    build(differences, '/merged', '/upper');
  });
}

function readNode(name: string, path: string): FlatNode | undefined {
  const stat = ifExists(() => lstatSync(asPath(path), { bigint: true }));
  if (stat === undefined) return undefined;
  const capability = stat.isFile() ? lgetxattr(asPath(path), 'security.capability') : undefined;
  const names = stat.isDirectory() ? (ifExists(() => sortedNames(path)) ?? []) : [];
  const children = names.flatMap(child => readNode(child, joined(path, child)) ?? []);
  return { name, stat, capability, children };
}

function compare(directory: FlatNode, lower: readonly string[]): Difference[] {
  const differences: Difference[] = [];
  const present = new Set(directory.children.map(({ name }) => name));
  for (const name of namesIn(lower)) {
    if (!present.has(name) && lookUp(name, lower) !== undefined) differences.push({ name, kind: 'gone' });
  }
  for (const node of directory.children) {
    const { name } = node;
    const old = lookUp(name, lower);
    if (old?.stat.isDirectory() && node.stat.isDirectory()) {
      const within = compare(node, old.directories);
      if (within.length > 0 || differs(node, old))
        differences.push({ name, kind: 'within', differences: within });
    } else if (old === undefined || differs(node, old)) differences.push({ name, kind: 'whole', node });
  }
  return differences;
}

function build(differences: readonly Difference[], merged: string, upper: string): void {
  for (const difference of differences) {
    const [from, to] = [joined(merged, difference.name), joined(upper, difference.name)];
    if (difference.kind === 'gone') makeWhiteout(asPath(to));
    else if (difference.kind === 'whole') takeWhole(difference.node, from, to);
    else makeLike(from, to, () => build(difference.differences, from, to));
  }
}

function takeWhole(node: FlatNode, from: string, to: string): void {
  if (!node.stat.isDirectory()) {
    ifExists(() => linkSync(asPath(from), asPath(to)));
    return;
  }
  makeLike(from, to, () => {
    for (const child of node.children) takeWhole(child, joined(from, child.name), joined(to, child.name));
  });
}

function makeLike(from: string, to: string, fill: () => void): void {
  const stat = ifExists(() => lstatSync(asPath(from), { bigint: true }));
  if (stat === undefined || !stat.isDirectory()) return;
  mkdirSync(asPath(to), { mode: 0o700 });
  fill();
  giveAttributes(from, stat, to);
}

function namesIn(directories: readonly string[]): Set<string> {
  return new Set(directories.flatMap(directory => ifExists(() => sortedNames(directory)) ?? []));
}
