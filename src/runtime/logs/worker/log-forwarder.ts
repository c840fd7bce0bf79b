import { type FSWatcher, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../../../stdx/errors.ts';
import { type DeliveryPolicy, type OpenSink, policyOf, sinkDriverOf } from '../log-drivers.ts';
import { LogFollower } from '../log-follower.ts';
import { LineAssembler, type LogMessage } from '../log-message.ts';
import { fileAt, type LogPosition, listSegments, oldestPosition } from '../log-segments.ts';
import type { LogSink } from '../log-sink.ts';
import { readSinkPosition, SinkPositionFile } from '../sink-position.ts';
import type { FollowRequest } from './messages.ts';

const chunkBytes = 1 << 18;
const firstRetryMs = 100;
const longestRetryMs = 3000;

/**
 * Carries the captured log of one container to its sink. What is delivered is on record in the position file, so that
 * the next daemon goes on there; what was delivered and not yet recorded when a daemon was killed comes twice.
 */
export class LogForwarder {
  readonly #request: FollowRequest;
  readonly #policy: DeliveryPolicy;
  readonly #openSink: OpenSink;
  readonly #note: (level: 'info' | 'warn', text: string) => void;
  readonly #alarm = new Alarm();
  readonly #positions: SinkPositionFile;
  readonly #done: Promise<void>;
  #follower: LogFollower;
  #assembler: LineAssembler;
  #sink: LogSink | undefined;
  #state: Readonly<Record<string, number>> | undefined;
  #settled: LogPosition;
  #delivered: number;
  /** Messages to be left out, as they were delivered before. */
  #toSkip: number;
  #queue: LogMessage[] = [];
  #failures = 0;
  #ended: boolean;
  #stopping = false;
  #broken = false;
  /** Somebody waits for the end: a receiver that was away is tried at once. */
  #hurry = false;
  /** What may belong together is not waited for any longer. */
  #waitedEnough = false;
  #onSettled: (() => void)[] = [];

  constructor(request: FollowRequest, note: (level: 'info' | 'warn', text: string) => void) {
    this.#request = request;
    this.#note = note;
    this.#ended = !request.running;
    this.#policy = policyOf(request.driver, request.options);
    this.#openSink = sinkDriverOf(request.driver)!.prepare(request.source, request.options, request.jsonPath);
    const known = readSinkPosition(request.positionPath);
    this.#settled = { ...(known?.settled ?? oldestPosition) };
    this.#delivered = known?.delivered ?? 0;
    this.#toSkip = this.#delivered;
    this.#state = known?.state;
    this.#positions = new SinkPositionFile(request.positionPath);
    this.#follower = new LogFollower(request.logPath, this.#settled, { chunkBytes });
    this.#assembler = new LineAssembler(this.#policy.lineBytes);
    this.#done = this.#run();
  }

  /** Whether it ended although it should not have. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /** Settles when nothing is read or written any more, whatever the reason. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** The container runs again. */
  goOn(): void {
    this.#ended = false;
    this.#alarm.ring();
  }

  /** No more will be written. Settles when all is delivered, or when it cannot be at the moment. */
  end(): Promise<void> {
    this.#ended = true;
    this.#hurry = true;
    const settled = new Promise<void>(resolve => this.#onSettled.push(resolve));
    this.#alarm.ring();
    return Promise.race([settled, this.#done]);
  }

  /** Ends after the delivery that is under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#alarm.ring();
    await this.#done;
  }

  async #run(): Promise<void> {
    const watcher = this.#watch();
    try {
      while (!this.#stopping) {
        // Read before the log is: what was written before the end is then seen.
        const ended = this.#ended;
        if (this.#queue.length === 0) await this.#fill(ended);
        if (this.#queue.length === 0) {
          if (ended && this.#ended) return;
          // A ring may have been heard while lines were gathered.
          if (!this.#ended && !this.#stopping) await this.#alarm.rung();
          continue;
        }
        await this.#deliver(ended);
      }
    } catch (error) {
      this.#broken = true;
      this.#note('warn', `forwarding was interrupted: ${messageOf(error)}`);
    } finally {
      watcher?.close();
      await this.#follower.close();
      await this.#closeSink();
      this.#positions.close();
      this.#settle();
    }
  }

  #watch(): FSWatcher | undefined {
    const name = basename(this.#request.logPath);
    try {
      const watcher = watch(dirname(this.#request.logPath), (_, changed) => {
        if (changed === null || changed === name) this.#alarm.ring();
      });
      watcher.on('error', () => this.#alarm.ring());
      return watcher;
    } catch (error) {
      // The container is being removed.
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #fill(ended: boolean): Promise<void> {
    const { gatherMs } = this.#policy;
    if (gatherMs > 0 && !ended && this.#failures === 0) await this.#gather(gatherMs);
    const before = this.#queue.length;
    const missedBefore = this.#follower.skippedSegments;
    const found = await this.#follower.next();
    if (found === undefined) {
      if (ended) this.#assembler.flush({ ...this.#follower.position }, this.#queue);
    } else {
      const missed = this.#follower.skippedSegments - missedBefore;
      if (missed > 0) {
        this.#toSkip = 0;
        this.#note('warn', `${missed} file(s) of the log were removed before they were delivered`);
      }
      // Lines stay in the queue, and the follower uses its memory again.
      this.#assembler.push(found.records.copy(), found.from, this.#queue);
    }
    if (this.#toSkip === 0) return;
    const skipped = Math.min(this.#toSkip, this.#queue.length - before);
    this.#queue.splice(before, skipped);
    this.#toSkip -= skipped;
  }

  async #gather(gatherMs: number): Promise<void> {
    const until = Date.now() + gatherMs;
    for (let leftMs = gatherMs; leftMs > 0 && !this.#ended && !this.#stopping; leftMs = until - Date.now()) {
      await this.#alarm.rung(leftMs);
    }
  }

  async #deliver(ended: boolean): Promise<void> {
    const final = ended || this.#waitedEnough;
    let taken: number;
    try {
      if (this.#sink === undefined) this.#openedSink();
      taken = await this.#sink!.write(this.#queue, final);
    } catch (error) {
      await this.#failed(error);
      return;
    }
    if (this.#failures > 0) this.#note('info', 'the receiver of the log is back');
    this.#failures = 0;
    this.#waitedEnough = false;
    if (taken > 0) {
      this.#advance(taken);
      return;
    }
    // It waits for what may belong to the last message.
    const before = this.#queue.length;
    await this.#fill(false);
    this.#waitedEnough = this.#queue.length === before;
  }

  #openedSink(): void {
    this.#sink = this.#openSink(this.#state);
    this.#state = this.#sink.state?.();
    this.#record();
  }

  #advance(taken: number): void {
    let last = taken - 1;
    while (last >= 0 && !this.#queue[last]!.settled) last--;
    if (last >= 0) {
      this.#settled = this.#queue[last]!.end;
      this.#delivered = taken - 1 - last;
    } else {
      this.#delivered += taken;
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    this.#state = this.#sink?.state?.() ?? this.#state;
    this.#record();
  }

  #record(): void {
    this.#positions.write({ settled: this.#settled, delivered: this.#delivered, state: this.#state });
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures++;
    if (this.#failures === 1) this.#note('warn', `the receiver of the log is away: ${messageOf(error)}`);
    await this.#closeSink();
    // Whoever waits for the end hears that it cannot be had now.
    this.#settle();
    const { mostRetries, retryMs = firstRetryMs } = this.#policy;
    if (mostRetries !== undefined && this.#failures > mostRetries) {
      this.#note('warn', `${this.#queue.length} line(s) were given up after ${mostRetries} attempts`);
      this.#advance(this.#queue.length);
      return;
    }
    await this.#cutBack();
    const until = Date.now() + Math.min(retryMs * 2 ** Math.min(this.#failures - 1, 10), longestRetryMs);
    for (let leftMs = until - Date.now(); leftMs > 0 && !this.#stopping; leftMs = until - Date.now()) {
      if (this.#hurry) break;
      await this.#alarm.rung(leftMs);
    }
    this.#hurry = false;
  }

  /** Leaves out the oldest of what is kept for a receiver that is away, when that is more than it may be. */
  async #cutBack(): Promise<void> {
    const { mostBehindBytes } = this.#policy;
    if (mostBehindBytes === undefined) return;
    const { logPath } = this.#request;
    const place = await placeBeforeEnd(logPath, mostBehindBytes);
    if (place === undefined || comparePositions(place, this.#settled) <= 0) return;
    this.#note('warn', `lines were left out: more than ${mostBehindBytes} bytes waited for the receiver`);
    this.#settled = place;
    this.#delivered = 0;
    this.#toSkip = 0;
    this.#queue = [];
    await this.#follower.close();
    this.#follower = new LogFollower(logPath, place, { chunkBytes });
    this.#assembler = new LineAssembler(this.#policy.lineBytes);
    this.#record();
  }

  #settle(): void {
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }

  async #closeSink(): Promise<void> {
    const sink = this.#sink;
    this.#sink = undefined;
    try {
      await sink?.close();
    } catch (error) {
      this.#note('warn', `closing the connection failed: ${messageOf(error)}`);
    }
  }
}

function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

/** The start of the first record within the last `bytes` of what is written; undefined when there is less. */
async function placeBeforeEnd(logPath: string, bytes: number): Promise<LogPosition | undefined> {
  const { rotated, currentNumber } = listSegments(logPath);
  let missing = bytes;
  for (const { number, plain } of [...rotated, { number: currentNumber, plain: logPath }].reverse()) {
    // Compressed ones are old: nothing of them is kept.
    if (plain === undefined) return { segment: number + 1, offset: 0 };
    const sizeBytes = fileAt(plain)?.sizeBytes ?? 0;
    if (sizeBytes > missing) return { segment: number, offset: await nextRecord(plain, sizeBytes - missing) };
    missing -= sizeBytes;
  }
  return undefined;
}

async function nextRecord(path: string, offset: number): Promise<number> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(chunkBytes);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    const newline = buffer.subarray(0, bytesRead).indexOf(10);
    if (newline < 0) throw new EngineError('corrupt', `${path}: no record at ${offset}`);
    return offset + newline + 1;
  } finally {
    await file.close();
  }
}

/** A ring that comes while nobody waits is not lost. */
class Alarm {
  #rang = false;
  #waiting: (() => void) | undefined;

  ring(): void {
    this.#rang = true;
    this.#waiting?.();
  }

  /** Settles at the next ring, or after the time. */
  async rung(timeoutMs?: number): Promise<void> {
    if (!this.#rang) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>(resolve => {
        this.#waiting = resolve;
        if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
    }
    this.#waiting = undefined;
    this.#rang = false;
  }
}
