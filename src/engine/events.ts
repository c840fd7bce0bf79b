import type { EventLog } from './event-log.ts';

/** Something that happened, in Docker's vocabulary (`docker events`). */
export interface EngineEvent {
  type: 'container' | 'image' | 'network' | 'volume' | 'secret' | 'daemon' | 'builder';
  /** `create`, `start`, `die`, `exec_create: sh`, `health_status: healthy` ... */
  action: string;
  actor: { id: string; attributes: Record<string, string> };
  /** Nanoseconds since the epoch. */
  timeNs: bigint;
}

/** How many `--since` reaches back: four times as many as dockerd's. */
export const keptEvents = 1024;

/**
 * The bus of all events. Publishing never waits for a listener: listeners only queue. The last 1024 are kept for
 * replay, also past a restart when there is a log, and timestamps are strictly increasing, so that `since` with a seen time repeats nothing.
 */
export class EventBus {
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #recent: EngineEvent[];
  readonly #log: EventLog | undefined;
  #lastNs: bigint;
  #published = 0;
  #clients = 0;

  constructor(log?: EventLog) {
    this.#log = log;
    this.#recent = log?.read() ?? [];
    this.#lastNs = this.#recent.at(-1)?.timeNs ?? 0n;
  }

  publish(
    type: EngineEvent['type'],
    action: string,
    id: string,
    attributes: Record<string, string>,
  ): EngineEvent {
    const event: EngineEvent = { type, action, actor: { id, attributes }, timeNs: this.#nextTime() };
    this.#recent.push(event);
    this.#published++;
    this.#log?.append(event);
    if (this.#recent.length > keptEvents) this.#recent.shift();
    for (const listener of this.#listeners) listener(event);
    return event;
  }

  /** Kept events in the order they happened, from `sinceNs` on. */
  recent(sinceNs: bigint): EngineEvent[] {
    return this.#recent.filter(event => event.timeNs >= sinceNs);
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#clients++;
    const leave = this.watch(listener);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#clients--;
      leave();
    };
  }

  /** As subscribe, for the engine itself, which is no listener that anybody counts. */
  watch(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listenerCount(): number {
    return this.#clients;
  }

  /** Since the daemon was started. */
  get publishedCount(): number {
    return this.#published;
  }

  #nextTime(): bigint {
    const wallNs = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
    this.#lastNs = wallNs > this.#lastNs ? wallNs : this.#lastNs + 1n;
    return this.#lastNs;
  }
}
