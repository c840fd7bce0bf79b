import type { Database } from '../storage/database.ts';
import type { EngineEvent } from './events.ts';

const migrations = [
  `create table events (
     sequence integer primary key,
     event text not null
   ) strict`,
];

/**
 * The newest events on disk, so that `events --since` reaches back past a restart. They are written together a moment
 * after they happened, as no container should wait for them: a SIGKILL may lose those of the last moment.
 */
export class EventLog {
  readonly #database: Database;
  readonly #kept: number;
  readonly #unwritten: EngineEvent[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param kept how many are kept */
  constructor(database: Database, kept: number) {
    this.#database = database;
    this.#kept = kept;
    database.migrate('events', migrations);
  }

  /** Oldest first. */
  read(): EngineEvent[] {
    return this.#database
      .prepare('select event from (select * from events order by sequence desc limit ?) order by sequence')
      .all(this.#kept)
      .flatMap(row => decode(String(row['event'])) ?? []);
  }

  append(event: EngineEvent): void {
    this.#unwritten.push(event);
    this.#timer ??= setTimeout(() => this.flush(), writeAfterMs).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#unwritten.splice(0);
    if (events.length === 0) return;
    this.#database.transaction(() => {
      const insert = this.#database.prepare('insert into events (event) values (?)');
      for (const event of events) insert.run(encode(event));
      this.#database
        .prepare('delete from events where sequence <= (select max(sequence) from events) - ?')
        .run(this.#kept);
    });
  }
}

const writeAfterMs = 50;

function encode(event: EngineEvent): string {
  return JSON.stringify({ ...event, timeNs: String(event.timeNs) });
}

/** @returns undefined for what is no event: no daemon fails to start for that */
function decode(text: string): EngineEvent | undefined {
  try {
    const event = JSON.parse(text) as Omit<EngineEvent, 'timeNs'> & { timeNs: string };
    return { ...event, timeNs: BigInt(event.timeNs) };
  } catch {
    return undefined;
  }
}
