import { createHash } from 'node:crypto';
import { type BigIntStats, constants, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { randomHex } from '../../stdx/random-hex.ts';
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
export function* walk(root: string, selection: FileSelection, digest?: WalkDigest): Generator<WalkedFile> {
  const linked = new Map<string, string>();
  // Directories on the way to something, told when there is something.
  const pending: WalkedFile[] = [];
  const open: { prefix: string; names: string[]; next: number; self: WalkedFile | undefined }[] = [];
  const enter = (path: string, self: WalkedFile | undefined) => {
    const names = namesInOrder(path === '' ? root : `${root}/${path}`);
    open.push({ prefix: path === '' ? '' : `${path}/`, names, next: 0, self });
  };
  enter('', undefined);
  for (;;) {
    const directory = open.at(-1);
    if (directory === undefined) return;
    const name = directory.names[directory.next++];
    if (name === undefined) {
      open.pop();
      if (directory.self !== undefined && pending.at(-1) === directory.self) pending.pop();
      continue;
    }
    const path = directory.prefix + name;
    const stat = lstatSync(`${root}/${path}`, statOptions);
    // It has gone meanwhile.
    if (stat === undefined) continue;
    const type = Number(stat.mode) & constants.S_IFMT;
    // Nothing can be made of a socket.
    if (type === constants.S_IFSOCK) continue;
    const choice = selection.choose(path, type === constants.S_IFDIR);
    if (!choice.wanted && !choice.enter) continue;
    const file = fileOf(root, path, stat, linked);
    digest?.add(file, stat);
    if (choice.wanted) {
      yield* pending.splice(0);
      yield file;
    } else pending.push(file);
    if (choice.enter) enter(path, file);
  }
}

const statOptions = { bigint: true, throwIfNoEntry: false } as const;

/** From here on what a digest is made of is hashed by the client. */
const longBytes = 1 << 20;

/** File systems count time by steps, the coarsest of them by two seconds. */
const coarsestNs = 2_000_000_000n;

/**
 * Says whether a tree is as it was, without its contents: nothing in a file can change without its time of change, which
 * nobody can set. Means something on one machine only. What has changed a moment ago can change again within the same
 * step of the file system's clock, unseen: such a tree is never the same.
 */
export class WalkDigest {
  readonly #settledNs: bigint;
  #isSettled = true;
  /** Of each file: mode, size, time of modification, time of change, inode, device, device number. */
  #numbers = new BigInt64Array(7 * 1024);
  #used = 0;
  readonly #names: string[] = [];

  /** @param nowMs when the walk begins */
  constructor(nowMs = Date.now()) {
    this.#settledNs = BigInt(nowMs) * 1_000_000n - coarsestNs;
  }

  add({ path, link }: WalkedFile, stat: BigIntStats): void {
    if (this.#used + 7 > this.#numbers.length) {
      const larger = new BigInt64Array(this.#numbers.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    const numbers = this.#numbers;
    let at = this.#used;
    numbers[at++] = stat.mode;
    numbers[at++] = stat.size;
    numbers[at++] = stat.mtimeNs;
    numbers[at++] = stat.ctimeNs;
    numbers[at++] = stat.ino;
    numbers[at++] = stat.dev;
    numbers[at++] = stat.rdev;
    this.#used = at;
    if (stat.ctimeNs > this.#settledNs) this.#isSettled = false;
    this.#names.push(path, link);
  }

  /** What is short is told as it is: loading node:crypto takes longer than sending and hashing that. */
  digest(): Buffer {
    const chance = this.#isSettled ? '' : randomHex(16);
    // No name has a zero in it.
    const names = `${this.#names.length}\0${this.#names.join('\0')}\0${chance}\0`;
    const numbers = Buffer.from(this.#numbers.buffer, 0, this.#used * BigInt64Array.BYTES_PER_ELEMENT);
    const whole = Buffer.concat([Buffer.from(names), numbers]);
    return whole.length > longBytes ? createHash('sha256').update(whole).digest() : whole;
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
