import type { Readable } from 'node:stream';
import { EngineError } from '../stdx/errors.ts';
import { copyVolumeData, type VolumeSnapshot } from '../storage/volume-snapshots.ts';
import type { Volume } from '../storage/volumes.ts';
import { publishContainerEvent } from './containers/attributes.ts';
import type { ContainerRecord, ResolvedMount } from './containers/container.ts';
import { newId } from './containers/names.ts';
import type { EngineContext } from './context.ts';

/** What Docker does not do with volumes: rename, snapshot, restore, clone, export and import. */
export interface VolumeCopyUseCases {
  /** Also in the containers that have it. @throws EngineError `conflict` while one of them runs */
  rename(from: string, to: string): Promise<void>;
  snapshots(name: string): VolumeSnapshot[];
  /** @param options.pause the containers that use it stand still meanwhile. */
  snapshot(name: string, snapshot: string, options: { pause: boolean }): Promise<VolumeSnapshot>;
  removeSnapshot(name: string, snapshot: string): Promise<void>;
  restore(name: string, snapshot: string): Promise<void>;
  /** A new volume with the same labels and content; the owner, permissions and quota may be others. */
  clone(
    from: string,
    to: { name?: string; labels?: Record<string, string>; options?: Record<string, string> },
    options: { pause: boolean },
  ): Promise<Volume>;
  /** A tar of all that is in it. */
  export(name: string): Promise<Readable>;
  /** Makes a volume of a tar, compressed or not. @throws EngineError `conflict` when there is one of that name */
  import(name: string, tar: Readable, signal: AbortSignal): Promise<Volume>;
}

export function volumeCopyUseCases(context: EngineContext): VolumeCopyUseCases {
  const { volumes, workers } = context.storage;
  const publish = (action: string, name: string, attributes: Record<string, string> = {}) =>
    context.events.publish('volume', action, name, { driver: 'local', ...attributes });

  return {
    async rename(from, to) {
      const users = usersOf(context, from);
      requireNoneRuns('rename', from, users);
      await volumes.rename(from, to, () => {
        for (const record of users) {
          renameIn(record, from, to, name => volumes.get(name).mountpoint);
          context.containers.save(record);
        }
      });
      publish('rename', to, { oldName: from });
    },
    snapshots: name => volumes.snapshots(name),
    async snapshot(name, snapshot, { pause }) {
      const made = await whilePaused(context, pause ? usersOf(context, name) : [], () =>
        volumes.snapshot(name, snapshot),
      );
      publish('snapshot', name, { snapshot });
      return made;
    },
    removeSnapshot: (name, snapshot) => volumes.removeSnapshot(name, snapshot),
    async restore(name, snapshot) {
      requireNoneRuns('restore', name, usersOf(context, name));
      await volumes.restore(name, snapshot);
      publish('restore', name, { snapshot });
    },
    async clone(from, { name, labels, options }, { pause }) {
      const source = volumes.get(from);
      const made = await withMounted(context, from, path =>
        volumes.createFilled({ name, labels: { ...source.labels, ...labels }, options }, target =>
          whilePaused(context, pause ? usersOf(context, from) : [], () =>
            copyVolumeData(path, target, workers),
          ),
        ),
      );
      publish('create', made.name);
      return made;
    },
    async export(name) {
      const user = `export:${newId()}`;
      const root = await context.storage.confine(await volumes.mount(name, user));
      const tar = root.readTar('/', { rename: '.' });
      tar.once('close', () => void root.close().finally(() => volumes.unmount(name, user)));
      return tar;
    },
    async import(name, tar, signal) {
      const made = await volumes.createFilled({ name }, async target => {
        const root = await context.storage.confine(target);
        try {
          await root.unpackTar('/', tar, { signal, shapesTop: true });
        } finally {
          await root.close();
        }
      });
      publish('create', name);
      return made;
    },
  };
}

function usersOf(context: EngineContext, name: string): ContainerRecord[] {
  return context.containers.list().filter(record => record.mounts.some(mount => isOf(mount, name)));
}

function isOf(mount: ResolvedMount, name: string): boolean {
  return mount.type === 'volume' && mount.name === name;
}

function requireNoneRuns(doing: string, name: string, users: ContainerRecord[]): void {
  const running = users.filter(({ state }) => state.pid !== 0).map(({ id }) => id);
  if (running.length === 0) return;
  throw new EngineError('conflict', `${doing} ${name}: volume is in use - [${running.join(', ')}]`);
}

/** All places of a container's row that name the volume. */
function renameIn(
  record: ContainerRecord,
  from: string,
  to: string,
  mountpointOf: (name: string) => string,
): void {
  record.mounts = record.mounts.map(mount =>
    isOf(mount, from) ? { ...mount, name: to, source: mountpointOf(to) } : mount,
  );
  record.hostConfig = {
    ...record.hostConfig,
    binds: record.hostConfig.binds.map(bind =>
      bind.startsWith(`${from}:`) ? `${to}${bind.slice(from.length)}` : bind,
    ),
    mounts: record.hostConfig.mounts.map(mount =>
      mount.type === 'volume' && mount.source === from ? { ...mount, source: to } : mount,
    ),
  };
}

/** One after the other, always in the same order, as each is held under its lock. */
async function whilePaused<T>(
  context: EngineContext,
  users: readonly ContainerRecord[],
  work: () => Promise<T>,
): Promise<T> {
  const [first, ...others] = users.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (first === undefined) return work();
  return context.locks.run(first.id, async () => {
    if (first.state.status !== 'running') return whilePaused(context, others, work);
    await context.runtime.pause(first.id);
    publishContainerEvent(context, first, 'pause');
    try {
      return await whilePaused(context, others, work);
    } finally {
      await context.runtime.resume(first.id);
      publishContainerEvent(context, first, 'unpause');
    }
  });
}

async function withMounted<T>(
  context: EngineContext,
  name: string,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const { volumes } = context.storage;
  const user = `copy:${newId()}`;
  const path = await volumes.mount(name, user);
  try {
    return await work(path);
  } finally {
    await volumes.unmount(name, user);
  }
}
