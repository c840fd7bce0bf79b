import type { Digest } from '../oci/digest.ts';
import type { Database } from '../storage/database.ts';

export interface ImageRow {
  id: Digest;
  /** The configuration's exact bytes; the id is their digest. */
  config: Uint8Array;
  chainId: Digest | null;
  sizeBytes: number;
  /** The image this one was built on, on this machine. */
  parent: Digest | null;
  createdMs: number;
  lastTaggedMs: number;
  /** When it came, or a container was made of it or removed; 0: not since this is kept. */
  lastUsedMs: number;
}

/** A tag or digest by which an image is known: `docker.io/library/busybox` and `:latest` or `@sha256:…`. */
export interface ReferenceRow {
  name: string;
  suffix: string;
  imageId: Digest;
}

export interface ManifestRow {
  digest: Digest;
  mediaType: string;
  /**
   * `manifest` of this very image, an `index` that lists such a manifest, an `attestation` the index lists for it, an
   * `other` manifest of the index (of another platform, mostly), or a `blob` that an attestation or other consists of.
   */
  kind: 'manifest' | 'index' | 'attestation' | 'other' | 'blob';
}

const migrations = [
  `create table images (
     id text primary key,
     config blob not null,
     chain_id text,
     size_bytes integer not null,
     parent text,
     created_ms integer not null,
     last_tagged_ms integer not null
   ) strict;
   create index images_by_parent on images (parent);

   create table image_references (
     name text not null,
     suffix text not null,
     image_id text not null references images (id),
     primary key (name, suffix)
   ) strict, without rowid;
   create index image_references_by_image on image_references (image_id);

   create table image_manifests (
     image_id text not null references images (id) on delete cascade,
     digest text not null,
     media_type text not null,
     kind text not null,
     primary key (image_id, digest)
   ) strict, without rowid;
   create index image_manifests_by_digest on image_manifests (digest);

   create table blob_repositories (
     digest text not null,
     registry text not null,
     repository text not null,
     seen_ms integer not null,
     primary key (digest, registry, repository)
   ) strict, without rowid;

   create table image_leases (
     owner text primary key,
     since_ms integer not null
   ) strict, without rowid;`,
  'alter table images add column last_used_ms integer not null default 0',
  `create table packed_layers (
     diff_id text primary key,
     digest text not null,
     media_type text not null,
     size_bytes integer not null
   ) strict, without rowid;`,
];

const imageColumns = `id, config, chain_id as chainId, size_bytes as sizeBytes, parent,
  created_ms as createdMs, last_tagged_ms as lastTaggedMs,
  last_used_ms as lastUsedMs`;

/** The images' rows in the state database, and nothing but SQL. */
export class ImageTables {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.migrate('images', migrations);
    if (database.damaged) this.#restoreReferences();
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  image(id: Digest): ImageRow | undefined {
    return this.#row(`select ${imageColumns} from images where id = ?`, id);
  }

  imageIds(): Digest[] {
    return this.#rows<{ id: Digest }>('select id from images order by created_ms desc, id').map(
      row => row.id,
    );
  }

  /** After damage: layers and manifests are their image's again, before what nobody needs is removed. */
  #restoreReferences(): void {
    this.#run(
      `insert or ignore into layer_references (owner, chain_id)
       select 'image:' || id, chain_id from images where chain_id in (select chain_id from layers)`,
    );
    this.#run(
      `insert or ignore into blob_references (owner, digest)
       select 'image:' || image_id, digest from image_manifests`,
    );
  }

  /** @param hexPrefix hexadecimal digits only. */
  imageIdsByPrefix(hexPrefix: string): Digest[] {
    const low = `sha256:${hexPrefix}`;
    return this.#rows<{ id: Digest }>(
      'select id from images where id >= ? and id < ? limit 2',
      low,
      `${low}g`,
    ).map(row => row.id);
  }

  insertImage(row: ImageRow): void {
    this.#run(
      `insert into images (id, config, chain_id, size_bytes, parent, created_ms, last_tagged_ms, last_used_ms)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
      row.id,
      row.config,
      row.chainId,
      row.sizeBytes,
      row.parent,
      row.createdMs,
      row.lastTaggedMs,
      row.lastUsedMs,
    );
  }

  setLastUsed(id: Digest, nowMs: number): void {
    this.#run('update images set last_used_ms = ? where id = ?', nowMs, id);
  }

  setParent(id: Digest, parent: Digest): void {
    this.#run('update images set parent = ? where id = ?', parent, id);
  }

  deleteImage(id: Digest): void {
    this.#run('delete from image_manifests where image_id = ?', id);
    this.#run('delete from images where id = ?', id);
  }

  childrenOf(id: Digest): Digest[] {
    return this.#rows<{ id: Digest }>('select id from images where parent = ?', id).map(row => row.id);
  }

  reference(name: string, suffix: string): ReferenceRow | undefined {
    return this.#row(
      'select name, suffix, image_id as imageId from image_references where name = ? and suffix = ?',
      name,
      suffix,
    );
  }

  /** In the order Docker lists and untags them: by text. */
  referencesOf(id: Digest): ReferenceRow[] {
    return this.#rows<ReferenceRow>(
      'select name, suffix, image_id as imageId from image_references where image_id = ? order by name || suffix',
      id,
    );
  }

  tagsOf(name: string): ReferenceRow[] {
    return this.#rows<ReferenceRow>(
      "select name, suffix, image_id as imageId from image_references where name = ? and suffix like ':%' order by suffix",
      name,
    );
  }

  /** Points a reference at an image, away from the one it pointed at before. */
  putReference(row: ReferenceRow, nowMs: number): void {
    this.#run(
      `insert into image_references (name, suffix, image_id) values (?, ?, ?)
       on conflict (name, suffix) do update set image_id = excluded.image_id`,
      row.name,
      row.suffix,
      row.imageId,
    );
    this.#run('update images set last_tagged_ms = ? where id = ?', nowMs, row.imageId);
  }

  deleteReference(name: string, suffix: string): void {
    this.#run('delete from image_references where name = ? and suffix = ?', name, suffix);
  }

  manifestsOf(id: Digest): ManifestRow[] {
    return this.#rows<ManifestRow>(
      'select digest, media_type as mediaType, kind from image_manifests where image_id = ? order by kind, digest',
      id,
    );
  }

  /** A manifest some image came with. */
  manifest(digest: Digest): ManifestRow | undefined {
    return this.#row(
      'select digest, media_type as mediaType, kind from image_manifests where digest = ? limit 1',
      digest,
    );
  }

  putManifest(id: Digest, row: ManifestRow): void {
    this.#run(
      'insert or ignore into image_manifests (image_id, digest, media_type, kind) values (?, ?, ?, ?)',
      id,
      row.digest,
      row.mediaType,
      row.kind,
    );
  }

  deleteManifest(id: Digest, digest: Digest): void {
    this.#run('delete from image_manifests where image_id = ? and digest = ?', id, digest);
  }

  /** Repositories of a registry in which a blob was seen, newest first. */
  repositoriesWith(digest: Digest, registry: string): string[] {
    return this.#rows<{ repository: string }>(
      'select repository from blob_repositories where digest = ? and registry = ? order by seen_ms desc limit 8',
      digest,
      registry,
    ).map(row => row.repository);
  }

  putBlobRepository(digest: Digest, registry: string, repository: string, nowMs: number): void {
    this.#run(
      `insert into blob_repositories (digest, registry, repository, seen_ms) values (?, ?, ?, ?)
       on conflict do update set seen_ms = excluded.seen_ms`,
      digest,
      registry,
      repository,
      nowMs,
    );
  }

  deleteBlobRepository(digest: Digest, registry: string, repository: string): void {
    this.#run(
      'delete from blob_repositories where digest = ? and registry = ? and repository = ?',
      digest,
      registry,
      repository,
    );
  }

  /** What a layer was packed to once, also when nothing of it is here any more. */
  packedLayer(diffId: Digest): { digest: Digest; mediaType: string; size: number } | undefined {
    return this.#row(
      'select digest, media_type as mediaType, size_bytes as size from packed_layers where diff_id = ?',
      diffId,
    );
  }

  putPackedLayer(diffId: Digest, blob: { digest: Digest; mediaType: string; size: number }): void {
    this.#run(
      'insert or replace into packed_layers (diff_id, digest, media_type, size_bytes) values (?, ?, ?, ?)',
      diffId,
      blob.digest,
      blob.mediaType,
      blob.size,
    );
  }

  leases(): { owner: string; sinceMs: number }[] {
    return this.#rows('select owner, since_ms as sinceMs from image_leases');
  }

  putLease(owner: string, nowMs: number): void {
    this.#run('insert or replace into image_leases (owner, since_ms) values (?, ?)', owner, nowMs);
  }

  deleteLease(owner: string): void {
    this.#run('delete from image_leases where owner = ?', owner);
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #row<T>(sql: string, ...values: (string | number | null)[]): T | undefined {
    return this.#database.prepare(sql).get(...values) as T | undefined;
  }

  #rows<T>(sql: string, ...values: (string | number | null)[]): T[] {
    return this.#database.prepare(sql).all(...values) as unknown as T[];
  }
}
