import { randomBytes } from 'node:crypto';
import { EngineError } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import type { Database } from '../storage/database.ts';
import type { Endpoint, Network, PublishedPort } from './network.ts';

/**
 * What the networks are, as rows of the state database with a copy in memory: reading costs nothing, every change is
 * written before it is seen. Endpoints and ports are rows only while their container runs.
 */
export class NetworkRecords {
  readonly #database: Database;
  readonly #networks = new Map<string, Network>();
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #byNetwork = new Map<string, Map<string, Endpoint>>();
  readonly #byContainer = new Map<string, Map<string, Endpoint>>();
  readonly #ports = new Map<string, PublishedPort[]>();

  constructor(database: Database, log: Log) {
    this.#database = database;
    database.migrate('network', migrations);
    const readable = new Set(
      database
        .prepare('select id from network_networks where json_valid(spec)')
        .all()
        .map(row => row['id']),
    );
    // Endpoints first: their rows refer to those of networks.
    const endpoints = database.readRows('network_endpoints', log, row => {
      if (!readable.has(row['network_id']!)) throw new EngineError('corrupt', 'its network cannot be read');
      return JSON.parse(String(row['spec'])) as Endpoint;
    });
    const networks = database.readRows(
      'network_networks',
      log,
      row => JSON.parse(String(row['spec'])) as Network,
    );
    for (const network of networks) this.#networks.set(network.id, network);
    for (const endpoint of endpoints) this.#index(endpoint);
    const ports = database.readRows('network_ports', log, row => ({
      owner: String(row['container_id']),
      published: JSON.parse(String(row['spec'])) as PublishedPort[],
    }));
    for (const { owner, published } of ports) this.#ports.set(owner, published);
  }

  networks(): Network[] {
    return [...this.#networks.values()];
  }

  network(id: string): Network | undefined {
    return this.#networks.get(id);
  }

  putNetwork(network: Network): void {
    this.#database
      .prepare('insert or replace into network_networks (id, name, spec) values (?, ?, ?)')
      .run(network.id, network.name, JSON.stringify(network));
    this.#networks.set(network.id, network);
  }

  deleteNetwork(id: string): void {
    this.#database.prepare('delete from network_networks where id = ?').run(id);
    this.#networks.delete(id);
    this.#byNetwork.delete(id);
  }

  endpoints(): Endpoint[] {
    return [...this.#endpoints.values()];
  }

  endpoint(id: string): Endpoint | undefined {
    return this.#endpoints.get(id);
  }

  endpointsOfNetwork(networkId: string): Endpoint[] {
    return [...(this.#byNetwork.get(networkId)?.values() ?? [])];
  }

  endpointsOfContainer(containerId: string): Endpoint[] {
    return [...(this.#byContainer.get(containerId)?.values() ?? [])];
  }

  /** Adds an endpoint or puts its new value in place of the old. */
  putEndpoint(endpoint: Endpoint): void {
    this.#database
      .prepare(
        `insert into network_endpoints (id, network_id, container_id, spec) values (?, ?, ?, ?)
         on conflict (id) do update set spec = excluded.spec`,
      )
      .run(endpoint.id, endpoint.networkId, endpoint.containerId, JSON.stringify(endpoint));
    this.#index(endpoint);
  }

  deleteEndpoint({ id, networkId, containerId }: Endpoint): void {
    this.#database.prepare('delete from network_endpoints where id = ?').run(id);
    this.#endpoints.delete(id);
    this.#byNetwork.get(networkId)?.delete(id);
    const siblings = this.#byContainer.get(containerId);
    siblings?.delete(id);
    if (siblings?.size === 0) this.#byContainer.delete(containerId);
  }

  /** Containers that have published ports. */
  portOwners(): string[] {
    return [...this.#ports.keys()];
  }

  ports(containerId: string): PublishedPort[] {
    return this.#ports.get(containerId) ?? [];
  }

  putPorts(containerId: string, ports: PublishedPort[]): void {
    this.#database
      .prepare('insert or replace into network_ports (container_id, spec) values (?, ?)')
      .run(containerId, JSON.stringify(ports));
    this.#ports.set(containerId, ports);
  }

  deletePorts(containerId: string): void {
    if (!this.#ports.has(containerId)) return;
    this.#database.prepare('delete from network_ports where container_id = ?').run(containerId);
    this.#ports.delete(containerId);
  }

  /** What was changed on the host and what it was before, to be put back by `dismantle`; and this daemon's own mark. */
  setting(key: string): string | undefined {
    const row = this.#database.prepare('select value from network_settings where key = ?').get(key);
    return row === undefined ? undefined : String(row['value']);
  }

  putSetting(key: string, value: string): void {
    this.#database
      .prepare('insert or replace into network_settings (key, value) values (?, ?)')
      .run(key, value);
  }

  deleteSetting(key: string): void {
    this.#database.prepare('delete from network_settings where key = ?').run(key);
  }

  /** Tells this daemon's bridges and links from another one's; made once per database. */
  ownId(): string {
    const known = this.setting('daemon');
    if (known !== undefined) return known;
    const id = randomBytes(6).toString('hex');
    this.putSetting('daemon', id);
    return id;
  }

  /** Several changes as one transaction: one write to the disk. */
  together<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  #index(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.id, endpoint);
    entry(this.#byNetwork, endpoint.networkId).set(endpoint.id, endpoint);
    entry(this.#byContainer, endpoint.containerId).set(endpoint.id, endpoint);
  }
}

const migrations = [
  `create table network_networks (id text primary key, name text not null unique, spec text not null) strict;
   create table network_endpoints (
     id text primary key,
     network_id text not null references network_networks (id),
     container_id text not null,
     spec text not null
   ) strict;
   create table network_ports (container_id text primary key, spec text not null) strict;
   create table network_settings (key text primary key, value text not null) strict;`,
];

function entry<K, I, V>(map: Map<K, Map<I, V>>, key: K): Map<I, V> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}
