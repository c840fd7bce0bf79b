import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ContainerRecord } from './containers/container.ts';
import { containerFiles } from './containers/directory.ts';
import { parseLogLimits } from './containers/log-limits.ts';
import { isUp } from './containers/stop.ts';
import type { EngineContext } from './context.ts';

const checkEveryMs = 5_000;

/** Keeps the logs of running containers within their limits. The monitor writes them; it is told to begin a new file. */
export class LogRotation {
  readonly #context: EngineContext;
  readonly #timer: NodeJS.Timeout;
  readonly #compressing = new Set<string>();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#timer = setInterval(() => void this.check(), checkEveryMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async check(): Promise<void> {
    for (const record of this.#context.containers.list()) {
      if (!isUp(record) || record.hostConfig.logConfig.type === 'none') continue;
      try {
        await this.#checkOne(record);
      } catch (error) {
        this.#context.log.error({ container: record.id, err: error }, 'rotating a log failed');
      }
    }
  }

  async #checkOne(record: ContainerRecord): Promise<void> {
    const { log } = containerFiles(this.#context, record.id);
    const limits = parseLogLimits(record.hostConfig.logConfig.config);
    const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= limits.maxSizeBytes || this.#compressing.has(record.id)) return;
    this.#compressing.add(record.id);
    try {
      shift(log, limits.maxFiles);
      this.#context.runtime.reopenLog(record.id);
      if (limits.compress && limits.maxFiles > 1) await compress(`${log}.1`);
    } finally {
      this.#compressing.delete(record.id);
    }
  }
}

/** log.3 -> log.4, log.2 -> log.3 ..., log -> log.1; what is beyond the limit goes. */
function shift(log: string, maxFiles: number): void {
  for (let number = maxFiles - 1; number >= 1; number--) {
    for (const ending of ['', '.gz']) {
      const from = `${log}.${number}${ending}`;
      if (!existsSync(from)) continue;
      if (number === maxFiles - 1) rmSync(from);
      else renameSync(from, `${log}.${number + 1}${ending}`);
    }
  }
  // With a single file nothing is kept: the monitor replaces it by an empty one.
  if (maxFiles > 1) renameSync(log, `${log}.1`);
}

async function compress(path: string): Promise<void> {
  const unfinished = `${path}.gz.new`;
  await pipeline(createReadStream(path), createGzip({ chunkSize: 1 << 18 }), createWriteStream(unfinished));
  renameSync(unfinished, `${path}.gz`);
  rmSync(path);
}
