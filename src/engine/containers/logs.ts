import { watch } from 'node:fs';
import { dirname } from 'node:path';
import { LogFollower } from '../../runtime/logs/log-follower.ts';
import type { LogRecords } from '../../runtime/logs/log-format.ts';
import { oldestPosition } from '../../runtime/logs/log-segments.ts';
import { positionOfTail } from '../../runtime/logs/log-tail.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { LogOptions } from '../engine.ts';
import type { ContainerRecord } from './container.ts';
import { containerFiles } from './directory.ts';
import { isUp } from './stop.ts';

/**
 * The captured output of a container, through all its rotated files, and, when following, what comes until the run
 * ends. What the sinks of its log driver do with it makes no difference here.
 * @throws notImplemented for a container whose output is not kept for reading
 */
export async function* readLogs(
  context: EngineContext,
  ref: string,
  options: LogOptions,
  signal?: AbortSignal,
): AsyncGenerator<LogRecords> {
  const record = context.containers.get(ref);
  if (!isReadable(record.hostConfig.logConfig)) {
    throw new EngineError('notImplemented', 'configured logging driver does not support reading');
  }
  const path = containerFiles(context, record.id).log;
  const from = options.tail === undefined ? oldestPosition : await positionOfTail(path, options.tail);
  const follower = new LogFollower(path, from);
  try {
    for (let found = await follower.next(); found !== undefined; found = await follower.next()) {
      yield* filtered(found.records, options);
      if (isPast(found.records, options)) return;
    }
    if (options.follow && isUp(record)) yield* follow(context, record, follower, options, signal);
  } finally {
    await follower.close();
  }
}

/** Whether `logs` has anything to read: some drivers keep nothing here. */
export function isReadable({ type, config }: ContainerRecord['hostConfig']['logConfig']): boolean {
  if (type === 'none') return false;
  return type === 'local' || type === 'json-file' || !isTrueText(config['cache-disabled']);
}

function isTrueText(value: string | undefined): boolean {
  return value !== undefined && ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value);
}

async function* follow(
  context: EngineContext,
  record: ContainerRecord,
  follower: LogFollower,
  options: LogOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogRecords> {
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
  const watcher = watch(dirname(containerFiles(context, record.id).log), () => wake.wake());
  // The container may be removed while its log is followed.
  watcher.on('error', () => wake.wake());
  const untilTimer =
    options.untilNs === undefined ? undefined : setTimeout(() => wake.wake(), untilDelayMs(options.untilNs));
  signal?.addEventListener('abort', () => wake.wake());
  try {
    // Something may have come, or the container have ended, before the watch began.
    for (;;) {
      const last = ended || !isUp(record);
      for (let found = await follower.next(); found !== undefined; found = await follower.next()) {
        yield* filtered(found.records, options);
      }
      if (last || signal?.aborted || isOver(options)) return;
      await wake.next();
    }
  } finally {
    clearTimeout(untilTimer);
    watcher.close();
    ending.abort();
  }
}

function untilDelayMs(untilNs: bigint): number {
  return Math.min(2 ** 31 - 1, Math.max(0, Number(untilNs / 1_000_000n) - Date.now() + 1));
}

function isOver(options: LogOptions): boolean {
  return options.untilNs !== undefined && BigInt(Date.now()) * 1_000_000n > options.untilNs;
}

function* filtered(records: LogRecords, options: LogOptions): Generator<LogRecords> {
  const { sinceNs, untilNs, stdout, stderr } = options;
  if (stdout && stderr && sinceNs === undefined && untilNs === undefined) {
    yield records;
    return;
  }
  const kept = records.filter(index => {
    if (!(records.isStderr(index) ? stderr : stdout)) return false;
    if (sinceNs === undefined && untilNs === undefined) return true;
    const timeNs = records.timeNs(index);
    return (sinceNs === undefined || timeNs >= sinceNs) && (untilNs === undefined || timeNs <= untilNs);
  });
  if (kept.length > 0) yield kept;
}

function isPast(records: LogRecords, options: LogOptions): boolean {
  return options.untilNs !== undefined && records.timeNs(records.length - 1) > options.untilNs;
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
