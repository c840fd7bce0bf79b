import type { Digest } from '../oci/digest.ts';
import type { Database } from './database.ts';
import type { LayerBlob } from './layers.ts';
import { ReferenceTable } from './references.ts';

export interface LayerRow {
  /** Of its directory. */
  number: number;
  chainId: Digest;
  diffId: Digest;
  parent: Digest | null;
  sizeBytes: number;
  blob?: LayerBlob;
}

const migrations = [
  `create table layers (
     number integer primary key autoincrement,
     chain_id text not null unique,
     diff_id text not null,
     parent text references layers (chain_id),
     size_bytes integer not null,
     blob_digest text,
     blob_size integer,
     blob_media_type text,
     created_ms integer not null
   ) strict;
   create index layers_by_parent on layers (parent);

   create table layer_references (
     owner text not null,
     chain_id text not null references layers (chain_id),
     primary key (owner, chain_id)
   ) strict, without rowid;
   create index layer_references_by_chain_id on layer_references (chain_id);`,
  // The boot of the machine in which its files were written, as long as nobody knows that they are on the disk.
  'alter table layers add column unsynced_since text',
];

const columns = `number, chain_id as chainId, diff_id as diffId, parent, size_bytes as sizeBytes,
  blob_digest as blobDigest, blob_size as blobSize, blob_media_type as blobMediaType`;

/** The layers' rows in the state database, and nothing but SQL. */
export class LayerTable {
  readonly references: ReferenceTable;
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.migrate('layers', migrations);
    this.references = new ReferenceTable(database, 'layer_references', 'chain_id');
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  /** After damage: what a layer was unpacked from is its own again. */
  restoreReferences(): void {
    this.#database
      .prepare(
        `insert or ignore into blob_references (owner, digest)
         select 'layer:' || chain_id, blob_digest from layers where blob_digest is not null`,
      )
      .run();
  }

  /** The highest number ever given to a row. */
  lastNumber(): number {
    const row = this.#database.prepare("select seq from sqlite_sequence where name = 'layers'").get();
    return row === undefined ? 0 : Number(row['seq']);
  }

  /** Whether there is a layer of this blob, or of this tar. */
  knows(digest: Digest): boolean {
    const query = 'select 1 from layers where blob_digest = ? or diff_id = ? limit 1';
    return this.#database.prepare(query).get(digest, digest) !== undefined;
  }

  get(chainId: Digest): LayerRow | undefined {
    const row = this.#database.prepare(`select ${columns} from layers where chain_id = ?`).get(chainId);
    return row === undefined ? undefined : rowOf(row);
  }

  all(): LayerRow[] {
    return this.#database.prepare(`select ${columns} from layers order by number`).all().map(rowOf);
  }

  /** Needed by no owner and no layer above. */
  unreferenced(): LayerRow[] {
    return this.#database
      .prepare(
        `select ${columns} from layers
         where not exists (select 1 from layer_references where layer_references.chain_id = layers.chain_id)
           and not exists (select 1 from layers above where above.parent = layers.chain_id)`,
      )
      .all()
      .map(rowOf);
  }

  /** @param unsyncedSince the boot in which it was written; null: its files are on the disk. */
  insert(row: LayerRow, unsyncedSince: string | null): void {
    this.#database
      .prepare(
        `insert into layers (number, chain_id, diff_id, parent, size_bytes, created_ms, unsynced_since)
         values (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(row.number, row.chainId, row.diffId, row.parent, row.sizeBytes, Date.now(), unsyncedSince);
  }

  /** Numbers of layers that were written in this boot and may not be on the disk. */
  unsynced(boot: string): number[] {
    const rows = this.#database.prepare('select number from layers where unsynced_since = ?').all(boot);
    return rows.map(row => Number(row['number']));
  }

  /** @param since as for insert() */
  setUnsynced(numbers: Iterable<number>, since: string | null): void {
    const update = this.#database.prepare('update layers set unsynced_since = ? where number = ?');
    this.transaction(() => {
      for (const number of numbers) update.run(since, number);
    });
  }

  /** Layers whose files may have gone with another boot, and all above them. */
  lost(boot: string): Digest[] {
    const rows = this.#database
      .prepare(
        `with recursive lost (chain_id) as (
           select chain_id from layers where unsynced_since <> ?
           union select layers.chain_id from layers join lost on layers.parent = lost.chain_id)
         select chain_id as chainId from lost`,
      )
      .all(boot);
    return rows.map(row => row['chainId'] as Digest);
  }

  /** Their rows, and the references to them. */
  forget(chainIds: readonly Digest[]): void {
    const list = JSON.stringify(chainIds);
    this.transaction(() => {
      for (const table of ['layer_references', 'layers'])
        this.#database
          .prepare(`delete from ${table} where chain_id in (select value from json_each(?))`)
          .run(list);
    });
  }

  setBlob(chainId: Digest, blob: LayerBlob): void {
    this.#database
      .prepare('update layers set blob_digest = ?, blob_size = ?, blob_media_type = ? where chain_id = ?')
      .run(blob.digest, blob.size, blob.mediaType, chainId);
  }

  delete(chainId: Digest): void {
    this.#database.prepare('delete from layers where chain_id = ?').run(chainId);
  }
}

function rowOf(row: object): LayerRow {
  const { blobDigest, blobSize, blobMediaType, ...rest } = row as LayerRow & {
    blobDigest: Digest | null;
    blobSize: number;
    blobMediaType: string;
  };
  if (blobDigest === null) return rest;
  return { ...rest, blob: { digest: blobDigest, size: blobSize, mediaType: blobMediaType } };
}
