import type { statusResponse } from '../../api/buildkit/control.ts';
import type { timestampMessage } from '../../api/buildkit/well-known.ts';
import type { InitOf } from '../../api/protobuf.ts';

export type StatusUpdate = InitOf<typeof statusResponse>;

/** What a step may say in all; BuildKit cuts its output at the same length. */
const outputLimitBytes = 2 * 1024 * 1024;

/** Everything that was told of a build, from its beginning: whoever comes late sees all of it. */
export class StatusLog {
  readonly #updates: StatusUpdate[] = [];
  readonly #outputBytes = new Map<string, number>();
  #ended = false;
  #wake: (() => void)[] = [];

  append(update: StatusUpdate): void {
    if (this.#ended) return;
    this.#updates.push(update);
    this.#notify();
  }

  /** Output of a step, as far as there is room for it. */
  output(vertex: string, stream: 1 | 2, data: Uint8Array, now: InitOf<typeof timestampMessage>): void {
    const before = this.#outputBytes.get(vertex) ?? 0;
    if (before > outputLimitBytes) return;
    this.#outputBytes.set(vertex, before + data.length);
    const rest = outputLimitBytes - before;
    const shown =
      data.length <= rest
        ? data
        : Buffer.concat([
            data.subarray(0, rest),
            Buffer.from(`\n[output clipped, log limit ${outputLimitBytes / 1024 / 1024}MiB reached]\n`),
          ]);
    this.append({ logs: [{ vertex, stream, timestamp: now, data: Buffer.from(shown) }] });
    if (data.length > rest) this.#outputBytes.set(vertex, outputLimitBytes + 1);
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** All updates, then those that come, until the build has ended. */
  async *follow(signal: AbortSignal): AsyncGenerator<StatusUpdate> {
    for (let next = 0; ; ) {
      while (next < this.#updates.length) yield this.#updates[next++]!;
      if (this.#ended || signal.aborted) return;
      await new Promise<void>(resolve => {
        this.#wake.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
