import { EngineError } from '../stdx/errors.ts';

/** Late joiners do without what was before: a step may write for hours. */
const keptEvents = 1000;

interface Flight<T, E> {
  result: Promise<T>;
  /** What was emitted last, for those who join later. */
  events: E[];
  listeners: Set<(event: E) => void>;
  abort: AbortController;
}

/**
 * Work that runs once however many ask for it at the same time. Who joins late gets the events so far first; the
 * work is aborted when all who asked have gone.
 */
export class InFlight<T, E> {
  readonly #flights = new Map<string, Flight<T, E>>();

  /** @throws what `work` throws; EngineError `cancelled` when this caller's signal aborts first. */
  async run(
    key: string,
    listener: (event: E) => void,
    signal: AbortSignal,
    work: (emit: (event: E) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    await this.#settleAborted(key);
    if (signal.aborted) throw cancelled();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    for (const event of flight.events) listener(event);
    // A function of its own, as the same listener may be there twice.
    const own = (event: E): void => listener(event);
    flight.listeners.add(own);
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = (): void => {
      flight.listeners.delete(own);
      if (flight.listeners.size > 0) reject(cancelled());
      // The last to go waits for the work to be cleaned up: its error is then the work's own.
      else flight.abort.abort();
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([flight.result, gone]);
    } finally {
      signal.removeEventListener('abort', leave);
      flight.listeners.delete(own);
    }
  }

  /** Work that everybody left is still being cleaned up; its error is not for those who come now. */
  async #settleAborted(key: string): Promise<void> {
    for (;;) {
      const flight = this.#flights.get(key);
      if (flight === undefined || !flight.abort.signal.aborted) return;
      await Promise.allSettled([flight.result]);
    }
  }

  #start(key: string, work: (emit: (event: E) => void, signal: AbortSignal) => Promise<T>): Flight<T, E> {
    const events: E[] = [];
    const listeners = new Set<(event: E) => void>();
    const abort = new AbortController();
    const emit = (event: E): void => {
      events.push(event);
      if (events.length > keptEvents) events.shift();
      for (const listener of listeners) listener(event);
    };
    const result = (async () => {
      // One turn later, so that whoever started it listens before the first event.
      await Promise.resolve();
      try {
        return await work(emit, abort.signal);
      } finally {
        this.#flights.delete(key);
      }
    })();
    const flight = { result, events, listeners, abort };
    this.#flights.set(key, flight);
    return flight;
  }
}

function cancelled(): EngineError {
  return new EngineError('cancelled', 'build cancelled');
}
