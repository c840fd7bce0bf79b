-- The state database as version 0.1.0 made it.
CREATE TABLE migrations (room text primary key, version integer not null) strict;
CREATE TABLE blob_references (
  owner text not null,
  digest text not null,
  primary key (owner, digest)
) strict, without rowid;
CREATE INDEX blob_references_by_digest on blob_references (digest);
CREATE TABLE layers (
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
CREATE INDEX layers_by_parent on layers (parent);
CREATE TABLE layer_references (
  owner text not null,
  chain_id text not null references layers (chain_id),
  primary key (owner, chain_id)
) strict, without rowid;
CREATE INDEX layer_references_by_chain_id on layer_references (chain_id);
CREATE TABLE snapshots (
  number integer primary key autoincrement,
  id text not null unique,
  parent text references layers (chain_id),
  mount_points integer not null,
  created_ms integer not null
) strict;
CREATE TABLE volumes (
  name text primary key,
  driver text not null,
  labels text not null,
  options text not null,
  state text not null check (state in ('creating', 'ready', 'removing')),
  created_ms integer not null
) strict, without rowid;
CREATE TABLE storage_facts (name text primary key, value text not null) strict;
CREATE TABLE network_networks (id text primary key, name text not null unique, spec text not null) strict;
CREATE TABLE network_endpoints (
  id text primary key,
  network_id text not null references network_networks (id),
  container_id text not null,
  spec text not null
) strict;
CREATE TABLE network_ports (container_id text primary key, spec text not null) strict;
CREATE TABLE network_settings (key text primary key, value text not null) strict;
CREATE TABLE images (
  id text primary key,
  config blob not null,
  chain_id text,
  size_bytes integer not null,
  parent text,
  created_ms integer not null,
  last_tagged_ms integer not null
) strict;
CREATE INDEX images_by_parent on images (parent);
CREATE TABLE image_references (
  name text not null,
  suffix text not null,
  image_id text not null references images (id),
  primary key (name, suffix)
) strict, without rowid;
CREATE INDEX image_references_by_image on image_references (image_id);
CREATE TABLE image_manifests (
  image_id text not null references images (id) on delete cascade,
  digest text not null,
  media_type text not null,
  kind text not null,
  primary key (image_id, digest)
) strict, without rowid;
CREATE INDEX image_manifests_by_digest on image_manifests (digest);
CREATE TABLE blob_repositories (
  digest text not null,
  registry text not null,
  repository text not null,
  seen_ms integer not null,
  primary key (digest, registry, repository)
) strict, without rowid;
CREATE TABLE image_leases (
  owner text primary key,
  since_ms integer not null
) strict, without rowid;
CREATE TABLE containers (
  id text primary key,
  name text not null unique,
  record text not null
) strict;
CREATE TABLE build_cache (
  key text primary key,
  state text not null check (state in ('building', 'done')),
  parent text,
  chain_id text,
  description text not null,
  size_bytes integer not null,
  created_ms integer not null,
  last_used_ms integer not null,
  usage_count integer not null
) strict, without rowid;
CREATE TABLE build_states (
  id text primary key,
  last_used_ms integer not null
) strict, without rowid;
INSERT INTO migrations (room, version) VALUES
  ('blobs', 1),
  ('layers', 1),
  ('snapshots', 1),
  ('volumes', 1),
  ('storage', 1),
  ('network', 1),
  ('images', 1),
  ('containers', 1),
  ('build', 2);
