import { existsSync, readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { World } from '../support/world.ts';

/**
 * Where the state database, the data-root and the exec-root of a daemon disagree: each line is something without an
 * owner, or an owner without its thing. Read while nothing is being done; `running` has the ids of the containers that
 * run.
 * @returns also how many endpoints of networks there are, and the published ports of IPv4: `tcp 8080`
 */
export function stateLeftovers(
  world: World,
  running: ReadonlySet<string>,
): { lines: string[]; endpoints: number; ports: Set<string> } {
  const data = (name: string) => world.path('data', name);
  const database = new DatabaseSync(data('state.db'), { readOnly: true });
  try {
    const column = (sql: string) =>
      new Set(
        database
          .prepare(sql)
          .all()
          .map(row => String(Object.values(row)[0])),
      );
    const containers = column('select id from containers');
    const layers = column('select number from layers');
    const owners = new Set([
      ...prefixed('snapshot', column('select id from snapshots')),
      ...prefixed('image', column('select id from images')),
      ...prefixed('layer', column('select chain_id from layers')),
      ...prefixed('build-cache', column("select key from build_cache where state = 'done'")),
      ...column("select owner from image_leases where owner not like 'lease:once:%'"),
    ]);
    const blobs = list(data('blobs/sha256')).flatMap(folder => list(data(`blobs/sha256/${folder}`)));
    const blobRows = column('select digest from blob_references');
    const lines = [
      ...compare('snapshot of a container', column('select id from snapshots'), containers),
      ...compare('directory of a snapshot', list(data('snapshots')), column('select number from snapshots')),
      ...compare('directory of a container', list(data('containers')), containers),
      ...compare(
        'directory of a layer',
        list(data('layers')).filter(name => !name.endsWith('-init')),
        layers,
      ),
      ...compare('directory of a volume', list(data('volumes')), column('select name from volumes')),
      ...compare(
        'blob',
        blobs.map(name => `sha256:${name}`),
        blobRows,
      ),
      ...strays('row of layer_references', column('select owner from layer_references'), owners),
      ...strays('row of blob_references', column('select owner from blob_references'), owners),
      ...strays('unfinished volume', column("select name from volumes where state <> 'ready'"), new Set()),
      ...strays(
        'unfinished build step',
        column("select key from build_cache where state <> 'done'"),
        new Set(),
      ),
      ...strays('build context', list(data('build-contexts')), new Set()),
      ...strays('received blob without a name', list(data('ingest')).filter(isUnnamed), new Set()),
      ...strays('endpoint', column('select container_id from network_endpoints'), running),
      ...strays('published port', column('select container_id from network_ports'), running),
      ...compare('bundle', list(world.path('exec/c')), running),
      ...compare("runtime's state", list(world.path('exec/runtime')), running),
      ...strays('exit file', list(world.path('exec/exits')), running),
    ];
    const [count] = column('select count(*) from network_endpoints');
    const ports = [...column('select spec from network_ports')]
      .flatMap(spec => JSON.parse(spec) as { protocol: string; hostIp: string; hostPort: number }[])
      .filter(({ hostIp }) => hostIp.includes('.'))
      .map(({ protocol, hostPort }) => `${protocol} ${hostPort}`);
    return { lines, endpoints: Number(count), ports: new Set(ports) };
  } finally {
    database.close();
  }
}

function isUnnamed(name: string): boolean {
  return name.startsWith('unique-') || name.startsWith('write-');
}

function prefixed(kind: string, names: Iterable<string>): string[] {
  return [...names].map(name => `${kind}:${name}`);
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function compare(what: string, found: Iterable<string>, wanted: ReadonlySet<string>): string[] {
  const all = new Set(found);
  return [
    ...strays(what, all, wanted),
    ...[...wanted].filter(name => !all.has(name)).map(name => `no ${what}: ${name}`),
  ];
}

function strays(what: string, found: Iterable<string>, known: ReadonlySet<string>): string[] {
  return [...found].filter(name => !known.has(name)).map(name => `${what} of nobody: ${name}`);
}
