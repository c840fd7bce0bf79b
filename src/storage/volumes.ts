import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { SystemError } from '../linux/libc.ts';
import { isMountPoint, unmount } from '../linux/mount.ts';
import { limitProject } from '../linux/project-quota.ts';
import { EngineError, errnoOf, messageOf, within } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { Database } from './database.ts';
import { isMountable, mountLocalVolume, unmountLocalVolume } from './mount-local-volume.ts';
import type { StoragePaths, VolumePaths } from './paths.ts';
import { removeTree } from './remove-tree.ts';
import {
  checkVolumeName,
  isVolumeName,
  type VolumeShape,
  validateLocalOptions,
  volumeShape,
} from './volume-options.ts';
import type { PluginVolume, VolumePlugin } from './volume-plugin.ts';
import { VolumePlugins } from './volume-plugins.ts';
import {
  listVolumeSnapshots,
  makeVolumeSnapshot,
  removeVolumeSnapshot,
  restoreVolumeSnapshot,
  settleVolumeDirectory,
  type VolumeSnapshot,
} from './volume-snapshots.ts';
import { type VolumeRow, VolumeTable } from './volume-table.ts';
import { diskError } from './worker/errors.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdMs: number;
  /** The directory on the host; '' of a plugin's volume that is mounted nowhere. */
  readonly mountpoint: string;
}

/** With what its driver alone knows. */
export interface InspectedVolume extends Volume {
  readonly scope: 'local' | 'global';
  /** As the plugin writes it, where it says. */
  readonly createdAt?: string;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface VolumeOptions {
  /** Default: 64 random hexadecimal digits. */
  name?: string;
  /** Default: `local`; otherwise a plugin's name. */
  driver?: string;
  labels?: Record<string, string>;
  /** Of the local driver: `type`, `o`, `device`, as mount(8) takes them. */
  options?: Record<string, string>;
}

export interface VolumeRemoval {
  /** What is not there need not be removed; a plugin's goes whatever that says. */
  force?: boolean;
  /** Who uses it that only the caller knows of, asked when nobody can begin to any more. */
  usedBy?: (name: string) => readonly string[];
}

/**
 * Volumes of the driver `local`: a directory, or with options what is mounted there while somebody uses it. Those of
 * other drivers are a plugin's (volume-plugin.ts); of them a row says only that they were made or used here.
 *
 * A row is `creating` before its directory is made, `ready` after, and `removing` before anything is deleted; what is
 * found in the first or last state at start is removed. A directory without a row (the database was lost) is taken
 * in again: the data is what matters.
 */
export class VolumeStore {
  readonly #table: VolumeTable;
  readonly #paths: StoragePaths;
  readonly #workers: WorkerPool;
  readonly #log: Log;
  readonly #locks = new KeyedMutex();
  readonly #users = new Map<string, Set<string>>();
  /** Who is about to use it: a container that is being made has no row yet. */
  readonly #claims = new Map<string, Set<string>>();
  readonly #plugins: VolumePlugins;
  /** Of plugins' volumes, as long as they are used. */
  readonly #mountpoints = new Map<string, string>();

  constructor(options: {
    database: Database;
    paths: StoragePaths;
    workers: WorkerPool;
    log: Log;
    plugins?: VolumePlugins;
  }) {
    this.#table = new VolumeTable(options.database);
    this.#paths = options.paths;
    this.#workers = options.workers;
    this.#log = options.log;
    this.#plugins = options.plugins ?? new VolumePlugins();
  }

  /** To be called once, before anything else. */
  async removeLeftovers(): Promise<void> {
    for (const { name, driver } of this.#table.unfinished()) {
      this.#log.info({ volume: name, driver }, 'removing a volume whose creation or removal was cut short');
      // Whether a plugin has it, the plugin says when it is asked.
      if (driver === 'local') await this.#destroy(name);
      else this.#table.delete(name);
    }
    for (const { name, from } of this.#table.renamed()) this.#finishRename(name, from);
    for (const { name, driver } of this.list()) {
      if (driver !== 'local') continue;
      if (await settleVolumeDirectory(this.#paths.volumeParts(name), this.#workers)) this.#limitAgain(name);
    }
    for (const name of readdirSync(this.#paths.volumes)) {
      if (this.find(name) !== undefined || !isVolumeName(name) || !existsSync(this.#paths.volumeData(name)))
        continue;
      this.#log.warn({ volume: name }, 'taking in a volume that the state database does not know');
      this.#table.insert({ name, driver: 'local' }, 'ready');
    }
  }

  /**
   * @returns the existing volume when there is one of that name, whatever its options, as Docker does.
   * @throws EngineError `invalid` (name, options), `notFound` (driver), in Docker's words.
   */
  async create(options: VolumeOptions): Promise<Volume> {
    const name = options.name || randomBytes(32).toString('hex');
    return this.#locks.run(name, () => this.#findOrCreate(name, options));
  }

  /** As create; and until `unclaim` nobody removes it. @param claimant a container that is being made */
  async claim(name: string, claimant: string, options: VolumeOptions): Promise<Volume> {
    return this.#locks.run(name, async () => {
      const volume = await this.#findOrCreate(name, options);
      this.#claims.set(name, (this.#claims.get(name) ?? new Set()).add(claimant));
      return volume;
    });
  }

  /** The claimant is made, and known to whoever asks for users; or there will be none. Idempotent. */
  unclaim(claimant: string): void {
    for (const [name, claimants] of this.#claims) {
      if (claimants.delete(claimant) && claimants.size === 0) this.#claims.delete(name);
    }
  }

  async #findOrCreate(name: string, options: VolumeOptions): Promise<Volume> {
    const driver = options.driver || 'local';
    const existing = await this.#lookUp(name);
    if (existing !== undefined && (!options.driver || existing.driver === driver)) return existing;
    if (driver !== 'local') this.#pluginFor('create', name, driver);
    if (existing !== undefined) {
      throw new EngineError(
        'conflict',
        `create ${name}: driver '${existing.driver}' already has volume '${name}': volume name must be unique`,
      );
    }
    if (driver !== 'local') return this.#createByPlugin(name, driver, options);
    return this.#createLocal(name, options);
  }

  /**
   * As create, for one that must be new and has data from the beginning: a kill on the way leaves nothing of it.
   * @throws EngineError `conflict` when there is one of that name
   */
  async createFilled(options: VolumeOptions, fill: (directory: string) => Promise<void>): Promise<Volume> {
    const name = options.name || randomBytes(32).toString('hex');
    return this.#locks.run(name, async () => {
      if ((await this.#lookUp(name)) !== undefined)
        throw new EngineError('conflict', `volume ${name} exists already`);
      return this.#createLocal(name, options, fill);
    });
  }

  async #createLocal(
    name: string,
    options: VolumeOptions,
    fill?: (directory: string) => Promise<void>,
  ): Promise<Volume> {
    checkVolumeName(name);
    validateLocalOptions(name, options.options ?? {});
    const shape = volumeShape(name, options.options ?? {});
    this.#table.insert({ ...options, name, driver: 'local' }, 'creating');
    try {
      const data = this.#paths.volumeData(name);
      mkdirSync(data, { recursive: true, mode: 0o755 });
      chmodSync(this.#paths.volume(name), 0o701);
      chmodSync(data, 0o755);
      if (shape.limitBytes !== undefined) this.#limit(name, data, shape.limitBytes);
      await fill?.(data);
      applyShape(data, shape);
      if (fill !== undefined) await this.#workers.run('sync', data);
    } catch (error) {
      await this.#destroy(name);
      throw diskError(`create ${name}`, error);
    }
    this.#table.setState(name, 'ready');
    return this.get(name);
  }

  /** False when a look at its directory says that there is something in it. */
  mayBeEmpty(name: string): boolean {
    const volume = this.get(name);
    return !isPlain(volume) || isEmptyDirectory(volume.mountpoint);
  }

  /**
   * Gives an empty volume its first content, and the owner and permissions that were asked for. Of one that nobody
   * uses yet a kill leaves all of the content or none.
   * @param copy fills the directory it is given
   */
  async fill(name: string, copy: (directory: string) => Promise<void>): Promise<void> {
    if (await this.#locks.run(name, () => this.#fillAside(name, copy))) return;
    const user = randomBytes(32).toString('hex');
    const directory = await this.mount(name, user);
    try {
      if (!isEmptyDirectory(directory)) return;
      await copy(directory);
      const volume = this.get(name);
      if (volume.driver === 'local') applyShape(directory, volumeShape(name, volume.options));
    } finally {
      await this.unmount(name, user);
    }
  }

  /** @returns false when it is in use, or no directory of ours. */
  async #fillAside(name: string, copy: (directory: string) => Promise<void>): Promise<boolean> {
    const volume = this.get(name);
    if (!isPlain(volume) || this.#users.has(name)) return false;
    const parts = this.#paths.volumeParts(name);
    if (!isEmptyDirectory(parts.data)) return true;
    const project = this.#table.projectOf(name);
    const shape = volumeShape(name, volume.options);
    try {
      mkdirSync(parts.restored, { mode: 0o755 });
      if (project !== undefined) limitProject(parts.restored, project, shape.limitBytes ?? 0);
      await copy(parts.restored);
      applyShape(parts.restored, shape);
      // Takes the place of an empty directory, and of no other.
      renameSync(parts.restored, parts.data);
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
    } finally {
      await settleVolumeDirectory(parts, this.#workers);
    }
    return true;
  }

  /**
   * Renames it, with its snapshots; nobody may use it.
   * @param inTransaction changes the rows of those who name it
   * @throws EngineError `notFound`, `conflict`, `invalid`
   */
  async rename(from: string, to: string, inTransaction: () => void): Promise<void> {
    checkVolumeName(to);
    if (from === to) throw new EngineError('invalid', `volume ${from} has that name already`);
    const [first, second] = [from, to].sort() as [string, string];
    await this.#locks.run(first, () =>
      this.#locks.run(second, async () => {
        this.#requirePlain('rename', from);
        this.#requireUnused('rename', from);
        if ((await this.#lookUp(to)) !== undefined)
          throw new EngineError('conflict', `volume ${to} exists already`);
        this.#table.rename(from, to, inTransaction);
        this.#finishRename(to, from);
      }),
    );
  }

  snapshots(name: string): VolumeSnapshot[] {
    this.get(name);
    return listVolumeSnapshots(this.#paths.volumeParts(name));
  }

  /** @throws EngineError `notFound`, `conflict`, `invalid` */
  snapshot(name: string, snapshot: string): Promise<VolumeSnapshot> {
    return this.#withPlain('snapshot', name, parts =>
      makeVolumeSnapshot(parts, snapshot, this.#workers).catch(error => {
        throw diskError(`snapshot ${name}`, error);
      }),
    );
  }

  removeSnapshot(name: string, snapshot: string): Promise<void> {
    return this.#withPlain('remove snapshot of', name, parts =>
      removeVolumeSnapshot(parts, snapshot, this.#workers),
    );
  }

  /** The volume is as it was then; nobody may use it. */
  restore(name: string, snapshot: string): Promise<void> {
    return this.#withPlain('restore', name, async parts => {
      this.#requireUnused('restore', name);
      const project = this.#table.projectOf(name);
      try {
        await restoreVolumeSnapshot(parts, snapshot, this.#workers, directory => {
          // For a moment both are there, which the limit is not for.
          if (project !== undefined) limitProject(directory, project, 0);
        });
      } catch (error) {
        throw diskError(`restore ${name}`, error);
      } finally {
        this.#limitAgain(name);
      }
    });
  }

  #withPlain<T>(doing: string, name: string, work: (parts: VolumePaths) => Promise<T>): Promise<T> {
    return this.#locks.run(name, () => {
      this.#requirePlain(doing, name);
      return work(this.#paths.volumeParts(name));
    });
  }

  /** A directory of ours, not what is mounted there or is somebody else's. */
  #requirePlain(doing: string, name: string): void {
    const volume = this.get(name);
    if (!isPlain(volume)) {
      throw new EngineError(
        'invalid',
        `${doing} ${name}: not for a volume of ${volume.driver === 'local' ? 'what is mounted' : `driver ${volume.driver}`}`,
      );
    }
  }

  #requireUnused(doing: string, name: string, more: readonly string[] = []): void {
    const users = [
      ...new Set([...(this.#users.get(name) ?? []), ...(this.#claims.get(name) ?? []), ...more]),
    ];
    if (users.length > 0)
      throw new EngineError('conflict', `${doing} ${name}: volume is in use - [${users.join(', ')}]`);
  }

  #finishRename(name: string, from: string): void {
    const [old, place] = [this.#paths.volume(from), this.#paths.volume(name)];
    if (existsSync(old) && !existsSync(place)) renameSync(old, place);
    this.#table.endRename(name);
  }

  /** A project of its own for the volume's files, with a limit. */
  #limit(name: string, data: string, limitBytes: number): void {
    const project = this.#table.takeProject(name);
    try {
      limitProject(data, project, limitBytes);
    } catch (error) {
      const where = 'the data-root needs ext4 or xfs, mounted with the option prjquota';
      const why = error instanceof SystemError ? error.reason : messageOf(error);
      throw new EngineError('invalid', `quota size requested but no quota support: ${where} (${why})`, {
        cause: error,
      });
    }
  }

  #limitAgain(name: string): void {
    const project = this.#table.projectOf(name);
    const { limitBytes } = volumeShape(name, this.get(name).options);
    if (project === undefined || limitBytes === undefined) return;
    limitProject(this.#paths.volumeData(name), project, limitBytes);
  }

  find(name: string): Volume | undefined {
    const row = this.#table.find(name);
    return row === undefined ? undefined : this.#volumeOf(row);
  }

  /** As find, and asks the plugins for one that nobody has used here yet. */
  lookUp(name: string): Promise<Volume | undefined> {
    return this.#locks.run(name, () => this.#lookUp(name));
  }

  /** With what its driver says now. @throws EngineError `notFound`; what the plugin fails with */
  async inspect(name: string): Promise<InspectedVolume> {
    const volume = (await this.lookUp(name)) ?? this.get(name);
    if (volume.driver === 'local') return { ...volume, scope: 'local' };
    const plugin = this.#pluginFor('get', name, volume.driver);
    const said = await plugin.find(name);
    if (said === undefined) throw noSuchVolume(name);
    return inspected(volume, said, await plugin.scope());
  }

  /** As list, and what the plugins have; of one that does not answer a warning. */
  async listAll(): Promise<{ volumes: InspectedVolume[]; warnings: string[] }> {
    const rows = this.list();
    const volumes: InspectedVolume[] = rows
      .filter(({ driver }) => driver === 'local')
      .map(volume => ({ ...volume, scope: 'local' }));
    const warnings: string[] = [];
    const plugins = this.#plugins.list();
    const ask = async (plugin: VolumePlugin) => {
      const scope = await plugin.scope();
      for (const said of await plugin.list()) {
        const row = rows.find(({ name, driver }) => name === said.name && driver === plugin.name);
        const { name } = said;
        const blank = { name, driver: plugin.name, labels: {}, options: {}, createdMs: 0, mountpoint: '' };
        // Of two with one name the one that is known here counts.
        if (row !== undefined || !rows.some(known => known.name === name))
          volumes.push(inspected(row ?? blank, said, scope));
      }
    };
    await Promise.all(plugins.map(plugin => ask(plugin).catch(error => warnings.push(messageOf(error)))));
    return { volumes: volumes.sort((a, b) => (a.name < b.name ? -1 : 1)), warnings };
  }

  /** Names of the drivers there are, for `info`. */
  drivers(): string[] {
    return ['local', ...this.#plugins.list().map(({ name }) => name)];
  }

  /** @throws EngineError `notFound`: `get x: no such volume` */
  get(name: string): Volume {
    const volume = this.find(name);
    if (volume === undefined) throw noSuchVolume(name);
    return volume;
  }

  /** Sorted by name. */
  list(): Volume[] {
    return this.#table.list().map(row => this.#volumeOf(row));
  }

  /** Those whose files are Gantry's to count and to prune: not what a plugin has, nor what options mount. */
  listOwn(): Volume[] {
    return this.list().filter(isPlain);
  }

  /** @throws EngineError `notFound` unless forced; `conflict` while a container uses it. */
  async remove(name: string, options: VolumeRemoval = {}): Promise<void> {
    await this.#locks.run(name, async () => {
      const volume = await this.#lookUp(name);
      if (volume === undefined) {
        if (options.force === true) return;
        throw noSuchVolume(name);
      }
      this.#requireUnused('remove', name, options.usedBy?.(name));
      if (volume.driver !== 'local') {
        await this.#removeByPlugin(volume, options.force === true);
        return;
      }
      this.#table.setState(name, 'removing');
      await this.#destroy(name);
    });
  }

  pathOf(name: string): string {
    return this.get(name).mountpoint;
  }

  /** Bytes of its files. */
  async sizeOf(name: string): Promise<number> {
    const root = this.pathOf(name);
    try {
      return await this.#workers.run('sizeOfTree', { root });
    } catch (error) {
      if (existsSync(root)) throw error;
      // Removed meanwhile, or behind the daemon's back: there is nothing to count.
      return 0;
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
      if (volume.driver !== 'local') {
        if (!users.has(user) || !this.#mountpoints.has(name)) await this.#mountByPlugin(volume, user);
      } else if (isMountable(volume) && !isMountPoint(volume.mountpoint)) await mountLocalVolume(volume);
      users.add(user);
      this.#users.set(name, users);
      return this.#mountpoints.get(name) ?? volume.mountpoint;
    });
  }

  /** The last user's unmounts it. Idempotent. */
  async unmount(name: string, user: string): Promise<void> {
    await this.#locks.run(name, async () => {
      const users = this.#users.get(name);
      const wasUsed = users?.delete(user) === true;
      const volume = this.find(name);
      if (wasUsed && volume !== undefined && volume.driver !== 'local')
        await this.#pluginFor('unmount', name, volume.driver).unmount(name, user);
      if (users !== undefined && users.size > 0) return;
      this.#users.delete(name);
      this.#mountpoints.delete(name);
      if (volume !== undefined) unmountLocalVolume(volume);
    });
  }

  /** At start: the users of each volume, by its name; what nobody uses is unmounted. */
  async reconcile(users: ReadonlyMap<string, readonly string[]>): Promise<void> {
    this.#users.clear();
    for (const [name, ids] of users) if (ids.length > 0) this.#users.set(name, new Set(ids));
    for (const volume of this.list()) if (!this.#users.has(volume.name)) unmountLocalVolume(volume);
  }

  async #lookUp(name: string): Promise<Volume | undefined> {
    const known = this.find(name);
    if (known !== undefined) return known;
    for (const plugin of this.#plugins.list()) {
      try {
        if ((await plugin.find(name)) === undefined) continue;
        this.#table.insert({ name, driver: plugin.name }, 'ready');
        return this.find(name);
      } catch (error) {
        this.#log.warn({ plugin: plugin.name, err: error }, 'a volume plugin does not answer');
      }
    }
    return undefined;
  }

  async #createByPlugin(name: string, driver: string, options: VolumeOptions): Promise<Volume> {
    const plugin = this.#pluginFor('create', name, driver);
    this.#table.insert({ ...options, name, driver }, 'creating');
    try {
      await plugin.create(name, options.options ?? {});
    } catch (error) {
      this.#table.delete(name);
      throw within(`create ${name}`, error);
    }
    this.#table.setState(name, 'ready');
    return this.get(name);
  }

  async #removeByPlugin({ name, driver }: Volume, force: boolean): Promise<void> {
    try {
      await this.#pluginFor('remove', name, driver).remove(name);
    } catch (error) {
      if (!force) throw within(`remove ${name}`, error);
      this.#log.warn(
        { volume: name, driver, err: error },
        'forgetting a volume that its plugin did not remove',
      );
    }
    this.#table.delete(name);
  }

  async #mountByPlugin({ name, driver }: Volume, user: string): Promise<void> {
    try {
      this.#mountpoints.set(name, await this.#pluginFor('mount', name, driver).mount(name, user));
    } catch (error) {
      throw within(`error while mounting volume '${this.#mountpoints.get(name) ?? ''}'`, error);
    }
  }

  #pluginFor(doing: string, name: string, driver: string): VolumePlugin {
    try {
      return this.#plugins.get(driver);
    } catch (error) {
      throw within(`${doing} ${name}`, error);
    }
  }

  async #destroy(name: string): Promise<void> {
    const data = this.#paths.volumeData(name);
    // What is mounted there is not ours to delete.
    while (isMountPoint(data)) unmount(data, { detach: true });
    const project = this.#table.projectOf(name);
    if (project !== undefined && existsSync(data)) forgetLimit(data, project);
    try {
      await removeTree(this.#paths.volume(name), this.#workers);
    } catch (error) {
      throw diskError(`remove ${name}`, error);
    }
    this.#table.delete(name);
  }

  #volumeOf(row: VolumeRow): Volume {
    const { name, driver } = row;
    const mountpoint =
      driver === 'local' ? this.#paths.volumeData(name) : (this.#mountpoints.get(name) ?? '');
    return { ...row, mountpoint };
  }
}

function applyShape(directory: string, { uid, gid, mode }: VolumeShape): void {
  if (uid !== undefined || gid !== undefined) chownSync(directory, uid ?? -1, gid ?? -1);
  if (mode !== undefined) chmodSync(directory, mode);
}

/** A limit is not worth a failing removal: without files it limits nothing. */
function forgetLimit(directory: string, project: number): void {
  try {
    limitProject(directory, project, 0);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

function noSuchVolume(name: string): EngineError {
  return new EngineError('notFound', `get ${name}: no such volume`);
}

function inspected(volume: Volume, said: PluginVolume, scope: 'local' | 'global'): InspectedVolume {
  const { mountpoint, createdAt, status } = said;
  return { ...volume, mountpoint: mountpoint || volume.mountpoint, createdAt, status, scope };
}

/** A directory of ours, and nothing mounted there. */
function isPlain(volume: Volume): boolean {
  return volume.driver === 'local' && !isMountable(volume);
}

/** Of one that is missing nothing is said here: who mounts it says it. */
function isEmptyDirectory(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
