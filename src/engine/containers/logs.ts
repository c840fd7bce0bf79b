import { watch } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { parseLogLines } from '../../runtime/log-format.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { LogEntry, LogOptions } from '../engine.ts';
import type { ContainerRecord } from './container.ts';
import { containerFiles } from './directory.ts';
import { isUp } from './stop.ts';

const chunkBytes = 1 << 20;

/**
 * The captured output of a container: rotated files first (`log.2.gz`, `log.1`), then the one being written
 * (`log`), then, when following, what comes until the run ends.
 * @throws notImplemented for a container whose output is not kept
 */
export async function* readLogs(
  context: EngineContext,
  ref: string,
  options: LogOptions,
  signal?: AbortSignal,
): AsyncGenerator<LogEntry[]> {
  const record = context.containers.get(ref);
  if (record.hostConfig.logConfig.type === 'none') {
    throw new EngineError('notImplemented', 'configured logging driver does not support reading');
  }
  const path = containerFiles(context, record.id).log;
  const current = await openIfThere(path);
  try {
    let position = 0;
    if (options.tail === undefined) {
      for (const file of await rotatedFiles(path))
        yield* filtered(parseLogLines(await readRotated(file)).entries, options);
    } else {
      const tail = await readTail(path, current, options.tail);
      position = tail.position;
      yield* filtered(tail.entries, options);
    }
    const follower = new LogFollower(path, current, position);
    for await (const entries of follower.toEnd()) {
      yield* filtered(entries, options);
      if (isPast(entries, options)) return;
    }
    if (options.follow && isUp(record)) yield* follow(context, record, follower, options, signal);
  } finally {
    await current?.close();
  }
}

async function* follow(
  context: EngineContext,
  record: ContainerRecord,
  follower: LogFollower,
  options: LogOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogEntry[]> {
  const wake = new Wakeup();
  let ended = false;
  const ending = new AbortController();
  context.waits.wait(record, 'next-exit', ending.signal).then(
    () => {
      ended = true;
      wake.wake();
    },
    // Only our own abort below rejects.
    () => {},
  );
  const watcher = watch(dirname(follower.path), () => wake.wake());
  const untilTimer =
    options.untilNs === undefined ? undefined : setTimeout(() => wake.wake(), untilDelayMs(options.untilNs));
  signal?.addEventListener('abort', () => wake.wake());
  try {
    // Something may have come, or the container have ended, before the watch began.
    for (;;) {
      const last = ended || !isUp(record);
      for await (const entries of follower.toEnd()) yield* filtered(entries, options);
      if (last || signal?.aborted || isOver(options)) return;
      await wake.next();
    }
  } finally {
    clearTimeout(untilTimer);
    watcher.close();
    ending.abort();
    await follower.close();
  }
}

function untilDelayMs(untilNs: bigint): number {
  return Math.min(2 ** 31 - 1, Math.max(0, Number(untilNs / 1_000_000n) - Date.now() + 1));
}

function isOver(options: LogOptions): boolean {
  return options.untilNs !== undefined && BigInt(Date.now()) * 1_000_000n > options.untilNs;
}

/** Reads a log file on and on, through its rotation: a file that is no longer at the path is read to its end first. */
class LogFollower {
  readonly path: string;
  #file: FileHandle | undefined;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);
  #own = false;

  constructor(path: string, file: FileHandle | undefined, position: number) {
    this.path = path;
    this.#file = file;
    this.#position = position;
  }

  async *toEnd(): AsyncGenerator<LogEntry[]> {
    for (;;) {
      yield* this.#readOn();
      if (!(await this.#moveOn())) return;
    }
  }

  async close(): Promise<void> {
    if (this.#own) await this.#file?.close();
  }

  async *#readOn(): AsyncGenerator<LogEntry[]> {
    if (this.#file === undefined) return;
    for (;;) {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await this.#file.read(buffer, 0, chunkBytes, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const chunk = buffer.subarray(0, bytesRead);
      const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      const { entries, rest } = parseLogLines(data);
      this.#rest = rest;
      if (entries.length > 0) yield entries;
    }
  }

  /** @returns whether there is another file to read now */
  async #moveOn(): Promise<boolean> {
    const next = await openIfThere(this.path);
    if (next === undefined) return false;
    if (this.#file !== undefined && (await sameFile(this.#file, next))) {
      await next.close();
      return false;
    }
    await this.close();
    this.#file = next;
    this.#own = true;
    this.#position = 0;
    this.#rest = Buffer.alloc(0);
    return true;
  }
}

async function sameFile(a: FileHandle, b: FileHandle): Promise<boolean> {
  const [first, second] = await Promise.all([a.stat(), b.stat()]);
  return first.ino === second.ino && first.dev === second.dev;
}

/** The last `lines` lines: from the current file if it has as many, else from all files. */
async function readTail(
  path: string,
  current: FileHandle | undefined,
  lines: number,
): Promise<{ entries: LogEntry[]; position: number }> {
  const size = current === undefined ? 0 : (await current.stat()).size;
  for (let windowBytes = 1 << 16; current !== undefined; windowBytes *= 4) {
    const start = Math.max(0, size - windowBytes);
    const window = Buffer.alloc(size - start);
    await current.read(window, 0, window.length, start);
    const whole = start === 0 ? window : window.subarray(window.indexOf(10) + 1);
    const { entries, rest } = parseLogLines(whole);
    const first = indexOfTail(entries, lines);
    if (first !== undefined) return { entries: entries.slice(first), position: size - rest.length };
    if (start > 0) continue;
    const older = await readOlder(path, lines - countLines(entries));
    return { entries: [...older, ...entries], position: size - rest.length };
  }
  return { entries: await readOlder(path, lines), position: 0 };
}

async function readOlder(path: string, lines: number): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (const file of (await rotatedFiles(path)).reverse()) {
    const found = parseLogLines(await readRotated(file)).entries;
    const missing = lines - countLines(entries);
    const first = indexOfTail(found, missing);
    entries.unshift(...(first === undefined ? found : found.slice(first)));
    if (first !== undefined) break;
  }
  return entries;
}

/** Where the last `lines` whole lines begin; undefined when there are fewer. */
function indexOfTail(entries: LogEntry[], lines: number): number | undefined {
  if (lines <= 0) return entries.length;
  let seen = 0;
  for (let index = entries.length - 1; index >= 0; index--) {
    const { endsLine } = entries[index]!;
    if (endsLine && seen === lines) return index + 1;
    if (endsLine || seen === 0) seen++;
  }
  return seen >= lines ? 0 : undefined;
}

function countLines(entries: LogEntry[]): number {
  return entries.filter(entry => entry.endsLine).length;
}

function* filtered(entries: LogEntry[], options: LogOptions): Generator<LogEntry[]> {
  const { sinceNs, untilNs, stdout, stderr } = options;
  if (stdout && stderr && sinceNs === undefined && untilNs === undefined) {
    if (entries.length > 0) yield entries;
    return;
  }
  const kept = entries.filter(
    entry =>
      (entry.stream === 'stdout' ? stdout : stderr) &&
      (sinceNs === undefined || entry.timeNs >= sinceNs) &&
      (untilNs === undefined || entry.timeNs <= untilNs),
  );
  if (kept.length > 0) yield kept;
}

function isPast(entries: LogEntry[], options: LogOptions): boolean {
  const last = entries.at(-1);
  return options.untilNs !== undefined && last !== undefined && last.timeNs > options.untilNs;
}

/** Oldest first. */
async function rotatedFiles(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  const numbered = (await readdir(dirname(path))).flatMap(name => {
    const [, number] =
      /^(\d+)(?:\.gz)?$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '') ?? [];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return numbered.sort((a, b) => b.number - a.number).map(({ name }) => join(dirname(path), name));
}

async function readRotated(path: string): Promise<Buffer> {
  const file = await openIfThere(path);
  // Rotated on while we read.
  if (file === undefined) return Buffer.alloc(0);
  try {
    const content = await file.readFile();
    return path.endsWith('.gz') ? await promisify(gunzip)(content) : content;
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A wake-up that comes while nobody waits is not lost. */
class Wakeup {
  #pending = false;
  #waiting: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#waiting?.();
  }

  async next(): Promise<void> {
    if (!this.#pending) await new Promise<void>(resolve => (this.#waiting = resolve));
    this.#waiting = undefined;
    this.#pending = false;
  }
}
