import { createReadStream, createWriteStream, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type CaptureLimits, captureLimitsOf, sinkDriverOf } from '../runtime/logs/log-drivers.ts';
import { fileAt, type LogSegments, listSegments, segmentPath } from '../runtime/logs/log-segments.ts';
import { readSinkPosition } from '../runtime/logs/sink-position.ts';
import type { ContainerRecord } from './containers/container.ts';
import { containerFiles } from './containers/directory.ts';
import { isUp } from './containers/stop.ts';
import type { EngineContext } from './context.ts';

const checkEveryMs = 1000;
/** What a sink that is behind may keep of a log beyond its limits. */
const mostForSinkBytes = 1 << 30;

/** Keeps the logs of running containers within their limits. The monitor writes them; it is told to begin a new file. */
export class LogRotation {
  readonly #context: EngineContext;
  readonly #timer: NodeJS.Timeout;
  readonly #busy = new Set<string>();
  /** Those of which only the size of the current file is of interest. */
  readonly #tidy = new Set<string>();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#timer = setInterval(() => this.check(), checkEveryMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  check(): void {
    for (const id of this.#tidy) if (this.#context.containers.find(id) === undefined) this.#tidy.delete(id);
    for (const record of this.#context.containers.list()) {
      if (!isUp(record) || record.hostConfig.logConfig.type === 'none') continue;
      if (this.#busy.has(record.id)) continue;
      this.#busy.add(record.id);
      this.#checkOne(record)
        .catch(error =>
          this.#context.log.error({ container: record.id, err: error }, 'rotating a log failed'),
        )
        .finally(() => this.#busy.delete(record.id));
    }
  }

  async #checkOne(record: ContainerRecord): Promise<void> {
    const { log, logPosition } = containerFiles(this.#context, record.id);
    const current = fileAt(log);
    const { type, config } = record.hostConfig.logConfig;
    const limits = captureLimitsOf(type, config);
    // Most of the time that is all there is to see.
    const isFull = current === undefined || current.sizeBytes > limits.maxSizeBytes;
    if (!isFull && this.#tidy.has(record.id)) return;
    const sinkAt =
      sinkDriverOf(type) === undefined ? undefined : (readSinkPosition(logPosition)?.settled.segment ?? 0);
    const segments = listSegments(log);
    const plan = planRotation(segments, {
      limits,
      currentSizeBytes: current?.sizeBytes,
      sizeOf: path => fileAt(path)?.sizeBytes ?? 0,
      sinkSegment: sinkAt,
    });
    for (const lost of plan.lostToSink) {
      this.#context.log.warn(
        { container: record.id, file: lost },
        'a log was removed before its receiver took it: it has been away for too long',
      );
    }
    for (const path of plan.empty) truncateSync(path);
    for (const path of plan.remove) rmSync(path, { force: true });
    if (plan.rotate) renameSync(log, segmentPath(log, segments.currentNumber));
    if (plan.reopen) this.#context.runtime.reopenLog(record.id);
    for (const path of plan.compress) await compress(path);
    if (isFull) this.#tidy.delete(record.id);
    else this.#tidy.add(record.id);
  }
}

export interface RotationState {
  limits: CaptureLimits;
  /** undefined: it was renamed, and the monitor has not made the new one. */
  currentSizeBytes: number | undefined;
  sizeOf(path: string): number;
  /** What a sink still reads; undefined: there is none. */
  sinkSegment: number | undefined;
}

export interface RotationPlan {
  rotate: boolean;
  reopen: boolean;
  remove: string[];
  /** The last rotated one is emptied and not removed: the next number comes from it. */
  empty: string[];
  compress: string[];
  /** Of those, what a sink had still to read. */
  lostToSink: string[];
}

/**
 * What to do about a log. What a sink has not read stays, compressed, until it is too much. A file is compressed when
 * there is a newer one: only then the monitor is done with it.
 */
export function planRotation(segments: LogSegments, state: RotationState): RotationPlan {
  const { limits, currentSizeBytes, sizeOf, sinkSegment = Number.POSITIVE_INFINITY } = state;
  const plan: RotationPlan = {
    rotate: false,
    reopen: false,
    remove: [],
    empty: [],
    compress: [],
    lostToSink: [],
  };
  if (currentSizeBytes === undefined) {
    // The renaming was the last thing a daemon did that was killed.
    plan.reopen = segments.rotated.length > 0;
    return plan;
  }
  plan.rotate = plan.reopen = currentSizeBytes > limits.maxSizeBytes;
  // The one that is written, and the one that is about to be rotated, are files as well.
  const kept = limits.maxFiles - (plan.rotate ? 2 : 1);
  let sinkBytes = 0;
  const newestFirst = [...segments.rotated].reverse();
  for (const [age, { number, plain, compressed }] of newestFirst.entries()) {
    const paths = [plain, compressed].filter(path => path !== undefined);
    const sizeBytes = Math.max(...paths.map(sizeOf));
    const isBehind = number >= sinkSegment;
    if (isBehind) sinkBytes += sizeBytes;
    const stays = age < kept || (isBehind && sinkBytes <= mostForSinkBytes);
    if (!stays) {
      if (isBehind && sizeBytes > 0) plan.lostToSink.push(...paths);
      if (age === 0 && !plan.rotate) plan.empty.push(...paths.filter(path => sizeOf(path) > 0));
      else plan.remove.push(...paths);
    } else if (plain !== undefined && limits.compress && sizeBytes > 0) {
      plan.compress.push(plain);
    }
  }
  return plan;
}

async function compress(path: string): Promise<void> {
  const unfinished = `${path}.gz.new`;
  await pipeline(createReadStream(path), createGzip({ chunkSize: 1 << 18 }), createWriteStream(unfinished));
  // Whoever reads it takes its time from neither.
  if (statSync(path, { throwIfNoEntry: false }) === undefined) rmSync(unfinished, { force: true });
  else renameSync(unfinished, `${path}.gz`);
  rmSync(path, { force: true });
}
