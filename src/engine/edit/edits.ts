import type { PublishedPort } from '../../network/network.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Log } from '../../stdx/log.ts';
import type { Database } from '../../storage/database.ts';
import type { ContainerRecord } from '../containers/container.ts';

const schema = [
  `create table container_edits (
     container_id text primary key,
     entry text not null
   ) strict`,
];

/** The parts of a container's record that an edit changes. */
export type EditedFields = Pick<
  ContainerRecord,
  'config' | 'hostConfig' | 'endpoints' | 'mounts' | 'path' | 'args'
>;

/** A container as it was before an edit: all that is needed to put it back. */
export interface EditEntry {
  containerId: string;
  before: EditedFields;
  /** `live`: its process stays; `restart`: it gets a new one; `row`: it does not run. */
  way: 'row' | 'live' | 'restart';
  /** Of the run that the edit found; tells the old process from the new one. */
  startedAtMs: number;
  /** Addresses it had, by network id, and the names of the networks that are left or joined. */
  places: { networkId: string; ipv4?: Address; ipv6?: Address }[];
  touchedNetworks: string[];
  /** Published before. */
  ports: PublishedPort[];
  /** Volumes the edit makes. */
  newVolumes: string[];
}

interface Address {
  address: string;
  prefixLength: number;
}

/**
 * The edits under way, each with a row that is written before the first change and goes in the transaction that
 * settles the edit. A row found at the daemon's start means: cut off, the old one comes back.
 */
export class Edits {
  readonly #database: Database;
  readonly #entries = new Map<string, EditEntry>();
  readonly #busy = new Set<string>();

  constructor(database: Database, log: Log) {
    this.#database = database;
    database.migrate('edits', schema);
    const read = (row: Record<string, unknown>) => JSON.parse(String(row['entry'])) as EditEntry;
    for (const entry of database.readRows('container_edits', log, read)) {
      this.#entries.set(entry.containerId, entry);
    }
  }

  /** One edit of a container at a time. @throws conflict */
  async alone<T>(record: ContainerRecord, work: () => Promise<T>): Promise<T> {
    this.requireNone(record);
    this.#busy.add(record.id);
    try {
      return await work();
    } finally {
      this.#busy.delete(record.id);
    }
  }

  /** @throws conflict */
  requireNone({ id, name }: Pick<ContainerRecord, 'id' | 'name'>): void {
    if (!this.#busy.has(id) && !this.#entries.has(id)) return;
    throw new EngineError('conflict', `container ${name} is being edited`);
  }

  /** Whether the process of a container is being replaced: its end is the edit's affair, not its policy's. */
  replaces(containerId: string): boolean {
    return this.#entries.get(containerId)?.way === 'restart';
  }

  entries(): EditEntry[] {
    return [...this.#entries.values()];
  }

  begin(entry: EditEntry): void {
    this.#database
      .prepare('insert or replace into container_edits (container_id, entry) values (?, ?)')
      .run(entry.containerId, JSON.stringify(entry));
    this.#entries.set(entry.containerId, entry);
  }

  /** @param save what is written in the same transaction */
  end(containerId: string, save: () => void = () => {}): void {
    this.#database.transaction(() => {
      save();
      this.#database.prepare('delete from container_edits where container_id = ?').run(containerId);
    });
    this.#entries.delete(containerId);
  }
}
