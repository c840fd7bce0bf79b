import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { MS_BIND, MS_REC, MS_REMOUNT } from '../linux/constants.ts';
import { SystemError } from '../linux/libc.ts';
import { isMountPoint, mount, unmount } from '../linux/mount.ts';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import { ConfinedRoot } from './confined.ts';
import type { Database } from './database.ts';
import type { StoragePaths } from './paths.ts';
import { removeTree } from './remove-tree.ts';
import { type LocalMount, planLocalMount, resolveAddress } from './volume-mount.ts';
import { checkVolumeName, isVolumeName, validateLocalOptions } from './volume-options.ts';
import { diskError } from './worker/errors.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdMs: number;
  /** The directory on the host. */
  readonly mountpoint: string;
}

export interface VolumeOptions {
  /** Default: 64 random hexadecimal digits. */
  name?: string;
  /** Default: `local`, the only one there is. */
  driver?: string;
  labels?: Record<string, string>;
  /** Of the local driver: `type`, `o`, `device`, as mount(8) takes them. */
  options?: Record<string, string>;
}

/**
 * Volumes of the driver `local`: a directory, or with options what is mounted there while somebody uses it.
 *
 * A row is `creating` before its directory is made, `ready` after, and `removing` before anything is deleted; what is
 * found in the first or last state at start is removed. A directory without a row (the database was lost) is taken
 * in again: the data is what matters.
 */
export class VolumeStore {
  readonly #database: Database;
  readonly #paths: StoragePaths;
  readonly #workers: WorkerPool;
  readonly #log: Log;
  readonly #locks = new KeyedMutex();
  readonly #users = new Map<string, Set<string>>();

  constructor(options: { database: Database; paths: StoragePaths; workers: WorkerPool; log: Log }) {
    this.#database = options.database;
    this.#paths = options.paths;
    this.#workers = options.workers;
    this.#log = options.log;
    this.#database.migrate('volumes', migrations);
  }

  /** To be called once, before anything else. */
  async removeLeftovers(): Promise<void> {
    const cut = this.#database.prepare("select name from volumes where state <> 'ready'").all();
    for (const { name } of cut as unknown as { name: string }[]) {
      this.#log.info({ volume: name }, 'removing a volume whose creation or removal was cut short');
      await this.#destroy(name);
    }
    for (const name of readdirSync(this.#paths.volumes)) {
      if (this.find(name) !== undefined || !isVolumeName(name) || !existsSync(this.#paths.volumeData(name)))
        continue;
      this.#log.warn({ volume: name }, 'taking in a volume that the state database does not know');
      this.#insert(name, {}, 'ready');
    }
  }

  /**
   * @returns the existing volume when there is one of that name, whatever its options, as Docker does.
   * @throws EngineError `invalid` (name, options), `notFound` (driver), in Docker's words.
   */
  async create(options: VolumeOptions): Promise<Volume> {
    const name = options.name || randomBytes(32).toString('hex');
    checkDriver(name, options.driver);
    return this.#locks.run(name, () => {
      const existing = this.find(name);
      if (existing !== undefined) return existing;
      checkVolumeName(name);
      validateLocalOptions(name, options.options ?? {});
      this.#insert(name, options, 'creating');
      try {
        mkdirSync(this.#paths.volumeData(name), { recursive: true, mode: 0o755 });
        chmodSync(this.#paths.volume(name), 0o701);
        chmodSync(this.#paths.volumeData(name), 0o755);
      } catch (error) {
        this.#database.prepare('delete from volumes where name = ?').run(name);
        throw diskError(`create ${name}`, error);
      }
      this.#setState(name, 'ready');
      return this.get(name);
    });
  }

  find(name: string): Volume | undefined {
    const row = this.#database
      .prepare(`select ${columns} from volumes where name = ? and state = 'ready'`)
      .get(name);
    return row === undefined ? undefined : this.#volumeOf(row as unknown as VolumeRow);
  }

  /** @throws EngineError `notFound`: `get x: no such volume` */
  get(name: string): Volume {
    const volume = this.find(name);
    if (volume === undefined) throw new EngineError('notFound', `get ${name}: no such volume`);
    return volume;
  }

  /** Sorted by name. */
  list(): Volume[] {
    const rows = this.#database
      .prepare(`select ${columns} from volumes where state = 'ready' order by name`)
      .all();
    return (rows as unknown as VolumeRow[]).map(row => this.#volumeOf(row));
  }

  /** @throws EngineError `notFound` unless forced; `conflict` while a container uses it. */
  async remove(name: string, options: { force?: boolean } = {}): Promise<void> {
    await this.#locks.run(name, async () => {
      if (this.find(name) === undefined) {
        if (options.force === true) return;
        throw new EngineError('notFound', `get ${name}: no such volume`);
      }
      const users = [...(this.#users.get(name) ?? [])];
      if (users.length > 0)
        throw new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
      this.#setState(name, 'removing');
      await this.#destroy(name);
    });
  }

  pathOf(name: string): string {
    return this.get(name).mountpoint;
  }

  /** Bytes of its files. */
  async sizeOf(name: string): Promise<number> {
    return this.#workers.run('sizeOfTree', { root: this.pathOf(name) });
  }

  /** Whether there is nothing in it: then the image's content is copied in at first use. */
  isEmpty(name: string): boolean {
    return readdirSync(this.pathOf(name)).length === 0;
  }

  /**
   * Copies what the image has at `target` into the volume, and gives it that directory's owner and permissions.
   * Nothing happens when there is no such directory in the image.
   */
  async copyUp(name: string, rootfs: string, target: string): Promise<void> {
    const data = this.pathOf(name);
    const from = await ConfinedRoot.open(rootfs, this.#workers);
    try {
      const stat = await from.stat(target, { follow: true });
      if (stat?.type !== 'directory') return;
      const to = await ConfinedRoot.open(data, this.#workers);
      try {
        await to.copyTree({ from, source: target, destination: '/' });
      } finally {
        await to.close();
      }
      chownSync(data, stat.uid, stat.gid);
      chmodSync(data, stat.permissions);
    } catch (error) {
      throw diskError(`copying the image's ${target} to volume ${name}`, error);
    } finally {
      await from.close();
    }
  }

  /**
   * To be called for every container that starts to use it: a volume with options is mounted for the first.
   * @returns the directory.
   */
  async mount(name: string, user: string): Promise<string> {
    return this.#locks.run(name, async () => {
      const volume = this.get(name);
      const users = this.#users.get(name) ?? new Set();
      if (isMountable(volume) && !isMountPoint(volume.mountpoint)) await mountLocal(volume);
      users.add(user);
      this.#users.set(name, users);
      return volume.mountpoint;
    });
  }

  /** The last user's unmounts it. Idempotent. */
  async unmount(name: string, user: string): Promise<void> {
    await this.#locks.run(name, () => {
      const users = this.#users.get(name);
      users?.delete(user);
      if (users !== undefined && users.size > 0) return;
      this.#users.delete(name);
      const volume = this.find(name);
      if (volume !== undefined) unmountIfMounted(volume);
    });
  }

  /** At start: the users of each volume, by its name; what nobody uses is unmounted. */
  async reconcile(users: ReadonlyMap<string, readonly string[]>): Promise<void> {
    this.#users.clear();
    for (const [name, ids] of users) if (ids.length > 0) this.#users.set(name, new Set(ids));
    for (const volume of this.list()) if (!this.#users.has(volume.name)) unmountIfMounted(volume);
  }

  async #destroy(name: string): Promise<void> {
    const data = this.#paths.volumeData(name);
    // What is mounted there is not ours to delete.
    while (isMountPoint(data)) unmount(data, { detach: true });
    try {
      await removeTree(this.#paths.volume(name), this.#workers);
    } catch (error) {
      throw diskError(`remove ${name}`, error);
    }
    this.#database.prepare('delete from volumes where name = ?').run(name);
  }

  #insert(name: string, options: VolumeOptions, state: string): void {
    this.#database
      .prepare(
        'insert into volumes (name, driver, labels, options, state, created_ms) values (?, ?, ?, ?, ?, ?)',
      )
      .run(
        name,
        'local',
        JSON.stringify(options.labels ?? {}),
        JSON.stringify(options.options ?? {}),
        state,
        Date.now(),
      );
  }

  #setState(name: string, state: string): void {
    this.#database.prepare('update volumes set state = ? where name = ?').run(state, name);
  }

  #volumeOf({ name, driver, labels, options, createdMs }: VolumeRow): Volume {
    const mountpoint = this.#paths.volumeData(name);
    return { name, driver, labels: JSON.parse(labels), options: JSON.parse(options), createdMs, mountpoint };
  }
}

interface VolumeRow {
  name: string;
  driver: string;
  labels: string;
  options: string;
  createdMs: number;
}

const migrations = [
  `create table volumes (
     name text primary key,
     driver text not null,
     labels text not null,
     options text not null,
     state text not null check (state in ('creating', 'ready', 'removing')),
     created_ms integer not null
   ) strict, without rowid;`,
];

const columns = 'name, driver, labels, options, created_ms as createdMs';

/** Docker's words for a plugin that is not installed. */
function checkDriver(name: string, driver = 'local'): void {
  if (driver === 'local' || driver === '') return;
  throw new EngineError(
    'notFound',
    `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
  );
}

function isMountable({ options }: Volume): boolean {
  return options['device'] !== undefined || options['type'] !== undefined;
}

async function mountLocal(volume: Volume): Promise<void> {
  const plan = planLocalMount(volume.options);
  const target = volume.mountpoint;
  try {
    const { flags, ...what } = await resolveAddress(plan);
    mount({ ...what, target, flags });
    // A bind mount takes the flags of its source: its own need a second step.
    const own = flags & ~(MS_BIND | MS_REC);
    if ((flags & MS_BIND) !== 0 && own !== 0) remountBind(target, own);
  } catch (error) {
    const kind = errnoOf(error) === 'ENOENT' ? 'notFound' : 'internal';
    throw new EngineError(kind, `error while mounting volume '${target}': ${whyNot(plan, target, error)}`, {
      cause: error,
    });
  }
}

function remountBind(target: string, flags: number): void {
  try {
    mount({ target, flags: MS_REMOUNT | MS_BIND | flags });
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

/** In Docker's words (moby/sys/mount), which name the device, the place, and what is not plain. */
function whyNot({ source, flags, data }: LocalMount, target: string, error: unknown): string {
  if (errnoOf(error) === 'ENOTFOUND' || errnoOf(error) === 'EAI_AGAIN')
    return `error resolving passed in network volume address: ${messageOf(error)}`;
  const what = [
    `mount ${source}:${target}`,
    ...(flags === 0 ? [] : [`flags: 0x${flags.toString(16)}`]),
    ...(data === '' ? [] : [`data: ${data}`]),
  ].join(', ');
  return `failed to mount local volume: ${what}: ${error instanceof SystemError ? error.reason : messageOf(error)}`;
}

function unmountIfMounted(volume: Volume): void {
  if (isMountable(volume) && isMountPoint(volume.mountpoint)) unmount(volume.mountpoint, { detach: true });
}
