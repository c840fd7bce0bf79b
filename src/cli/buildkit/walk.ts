import { type BigIntStats, constants, lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import type { FileSelection } from './file-selection.ts';

/** What of a file is told to the daemon, and its type. */
export interface WalkedFile {
  /** Relative, `/` between elements. */
  path: string;
  /** The kernel's st_mode. */
  mode: number;
  size: number;
  mtimeNs: bigint;
  device: number;
  /** Where a symlink leads; of a hard link, the path of an earlier file. Otherwise ''. */
  link: string;
}

/** The wanted files of a directory, depth first, names in the order of their bytes, which is the protocol's. */
export function* walk(root: string, selection: FileSelection): Generator<WalkedFile> {
  const linked = new Map<string, string>();
  // Directories that may be on the way to something, told when there is something.
  const pending: WalkedFile[] = [];
  const files = new Visit(root, selection, exact);
  for (let found = files.next(); found !== undefined; found = files.next()) {
    const { path, stat, wanted } = found;
    const file = fileOf(root, path, stat, linked);
    if (!wanted) {
      pending.push(file);
      continue;
    }
    for (const directory of pending.splice(0)) if (path.startsWith(`${directory.path}/`)) yield directory;
    yield file;
  }
}

/** How a tree is looked at. */
interface View<S> {
  /** undefined: it has gone meanwhile. */
  lstat(path: string): S | undefined;
  /** What is in a directory. */
  names(path: string): string[];
}

const exact: View<BigIntStats> = {
  lstat: path => lstatSync(path, { bigint: true, throwIfNoEntry: false }),
  names: namesInOrder,
};

/** Costs half of the time: times are to a quarter of a microsecond, and names in whatever order the file system has them. */
export const rough: View<Stats> = {
  lstat: path => lstatSync(path, { throwIfNoEntry: false }),
  names: path => readdirSync(path),
};

export interface Visited<S> {
  path: string;
  stat: S;
  /** Otherwise it is a directory in which something may be. */
  wanted: boolean;
}

/** Some of a directory's names. */
export interface Branches {
  /** The directory's path and a slash; '' for the root. */
  prefix: string;
  names: string[];
}

/** Goes through what a selection has to do with, parents first. */
export class Visit<S extends Stats | BigIntStats> {
  readonly #root: string;
  readonly #selection: FileSelection;
  readonly #view: View<S>;
  /** Directories that are gone through, each in the one before. */
  readonly #open: (Branches & { next: number })[];

  /** @param branches instead of the whole tree */
  constructor(root: string, selection: FileSelection, view: View<S>, branches?: readonly Branches[]) {
    this.#root = root;
    this.#selection = selection;
    this.#view = view;
    const begun = branches ?? [{ prefix: '', names: view.names(root) }];
    this.#open = begun.map(({ prefix, names }) => ({ prefix, names, next: 0 }));
    // What is chosen of a directory depends on what was chosen of those above.
    for (const { prefix } of begun) {
      for (let end = prefix.indexOf('/'); end >= 0; end = prefix.indexOf('/', end + 1))
        selection.choose(prefix.slice(0, end), true);
    }
  }

  /** undefined: that was all. */
  next(): Visited<S> | undefined {
    for (;;) {
      const directory = this.#open.at(-1);
      if (directory === undefined) return undefined;
      const name = directory.names[directory.next++];
      if (name === undefined) {
        this.#open.pop();
        continue;
      }
      const path = directory.prefix + name;
      const stat = this.#view.lstat(`${this.#root}/${path}`);
      if (stat === undefined) continue;
      const type = Number(stat.mode) & constants.S_IFMT;
      // Nothing can be made of a socket.
      if (type === constants.S_IFSOCK) continue;
      const { wanted, enter } = this.#selection.choose(path, type === constants.S_IFDIR);
      if (!wanted && !enter) continue;
      if (enter)
        this.#open.push({ prefix: `${path}/`, names: this.#view.names(`${this.#root}/${path}`), next: 0 });
      return { path, stat, wanted };
    }
  }

  /** Leaves a part of what is still to come to somebody else: the last names of each directory that is open. */
  leave(part: number): Branches[] {
    return this.#open
      .map(({ prefix, names, next }) => {
        const count = Math.floor((names.length - next) * part);
        return { prefix, names: names.splice(names.length - count) };
      })
      .filter(({ names }) => names.length > 0);
  }
}

/** Owners are left out: a context's files are root's. */
function fileOf(root: string, path: string, stat: BigIntStats, linked: Map<string, string>): WalkedFile {
  const mode = Number(stat.mode);
  const type = mode & constants.S_IFMT;
  const file: WalkedFile = { path, mode, size: 0, mtimeNs: stat.mtimeNs, device: 0, link: '' };
  if (type === constants.S_IFREG) {
    if (stat.nlink > 1n) {
      const inode = `${stat.dev}:${stat.ino}`;
      const first = linked.get(inode);
      if (first !== undefined) {
        file.link = first;
        return file;
      }
      linked.set(inode, path);
    }
    file.size = Number(stat.size);
  } else if (type === constants.S_IFLNK) file.link = readlinkSync(`${root}/${path}`);
  else if (type === constants.S_IFBLK || type === constants.S_IFCHR) file.device = Number(stat.rdev);
  return file;
}

function namesInOrder(directory: string): string[] {
  const names = readdirSync(directory);
  // JavaScript's order is that of UTF-8 but for what UTF-16 writes as two.
  if (names.some(name => /[\ud800-\udfff]/.test(name)))
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return names.sort();
}
