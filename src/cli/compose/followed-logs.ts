import { encodeFilters, follow, perform } from '../../client/operation.ts';
import { containerOperations, systemOperations } from '../../client/operations.ts';
import { composeLabels } from '../../compose/labels.ts';
import type { Session } from '../session.ts';
import { type LogQuery, outputSince, printLog } from './follow-logs.ts';
import type { LogLines } from './log-lines.ts';
import type { ServiceContainer } from './service-containers.ts';

export interface FollowedLogsOptions {
  /** The project's. */
  name: string;
  query: LogQuery;
  lines: LogLines;
  shownName(container: Pick<ServiceContainer, 'name'>): string;
  /** Those whose logs are asked for, as they are now. */
  containers(): Promise<readonly ServiceContainer[]>;
}

/** Follows a project's logs, those of containers that come later too, until none of them runs. */
export class FollowedLogs {
  readonly #session: Session;
  readonly #options: FollowedLogsOptions;
  /** By id: service and number of those that are, or were, followed. */
  readonly #known = new Map<string, string>();
  /** Ids of those whose end has not come. */
  readonly #open = new Set<string>();
  readonly #following: Promise<void>[] = [];
  #event = Promise.withResolvers<void>();

  constructor(session: Session, options: FollowedLogsOptions) {
    this.#session = session;
    this.#options = options;
  }

  async run(first: readonly ServiceContainer[]): Promise<void> {
    const enough = new AbortController();
    const listening = this.#listen(enough.signal);
    for (const container of first) this.#follow(container, this.#options.query);
    do {
      for (let count = -1; count !== this.#following.length; ) {
        count = this.#following.length;
        await Promise.all(this.#following);
      }
    } while (await this.#isGoingOn());
    enough.abort();
    await listening;
  }

  #follow(container: ServiceContainer, query: LogQuery): void {
    if (this.#open.has(container.id)) return;
    this.#open.add(container.id);
    this.#known.set(container.id, placeOf(container));
    this.#following.push(
      this.#followToTheEnd(container, query).finally(() => this.#open.delete(container.id)),
    );
  }

  async #followToTheEnd(container: ServiceContainer, query: LogQuery): Promise<void> {
    const { lines, shownName } = this.#options;
    const shown = shownName(container);
    const code = await printLog(this.#session, { id: container.id, shown }, lines, query, exitCode =>
      lines.say(`${shown} exited with code ${exitCode} (restarting)`),
    );
    if (code !== undefined) lines.say(`${shown} exited with code ${code}`);
  }

  /** Whether a container runs that is not followed (any more), or one waits to take the place of one that was. */
  async #isGoingOn(): Promise<boolean> {
    const event = this.#event.promise;
    const containers = await this.#options.containers();
    const running = containers.filter(
      ({ id, summary }) => summary.State === 'running' && !this.#open.has(id),
    );
    for (const container of running) this.#follow(container, await this.#queryOfNextLife(container));
    if (this.#open.size > 0) return true;
    const places = new Set(this.#known.values());
    const awaited = containers.some(
      container =>
        container.summary.State === 'created' &&
        !this.#known.has(container.id) &&
        places.has(placeOf(container)),
    );
    if (awaited) await event;
    return awaited;
  }

  /** What was asked of the past is not asked of what comes; what a container said in earlier lives has been shown. */
  async #queryOfNextLife({ id }: ServiceContainer): Promise<LogQuery> {
    const { follow, timestamps } = this.#options.query;
    const query = { follow, timestamps, tail: 'all' };
    if (!this.#known.has(id)) return query;
    const client = await this.#session.client();
    const { State } = await perform(client, containerOperations.inspect, { path: { id } });
    return { ...query, since: outputSince(State.FinishedAt, State.StartedAt) };
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const filters = encodeFilters(
      new Map([
        ['type', ['container']],
        ['event', ['start', 'destroy']],
        ['label', [`${composeLabels.project}=${this.#options.name}`, `${composeLabels.oneOff}=False`]],
      ]),
    );
    // What happens before the daemon listens to this counts, too.
    const query = { since: String(Math.floor(Date.now() / 1000) - 1), filters };
    const client = await this.#session.client();
    try {
      await follow(client, systemOperations.events, { query, signal }, ({ Action }) => {
        this.#event.resolve();
        this.#event = Promise.withResolvers();
        if (Action === 'start') void this.#isGoingOn().catch(() => {});
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function placeOf({ service, number }: ServiceContainer): string {
  return `${service} ${number}`;
}
