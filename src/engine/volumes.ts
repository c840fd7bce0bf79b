import { EngineError } from '../stdx/errors.ts';
import type { InspectedVolume, Volume } from '../storage/volumes.ts';
import { newId } from './containers/names.ts';
import type { EngineContext } from './context.ts';
import { unlessMeanwhile } from './meanwhile.ts';

export interface VolumeUseCases {
  create(options: {
    name?: string;
    driver?: string;
    labels?: Record<string, string>;
    options?: Record<string, string>;
  }): Promise<Volume>;
  get(name: string): Promise<InspectedVolume>;
  /** Those known here. */
  list(): Volume[];
  /** Those whose files are Gantry's to count and to prune. */
  listOwn(): Volume[];
  /** Those that plugins have, too. */
  listAll(): Promise<{ volumes: InspectedVolume[]; warnings: string[] }>;
  /** Ids of the containers that use it, running or not. */
  usersOf(name: string): string[];
  remove(name: string, options: { force: boolean }): Promise<void>;
  prune(options: {
    all: boolean;
    matches: (volume: Volume) => boolean;
  }): Promise<{ deleted: string[]; reclaimedBytes: number }>;
}

export function volumeUseCases(context: EngineContext): VolumeUseCases {
  const store = context.storage.volumes;
  const usersOf = (name: string) => context.containers.usersOfVolume(name);

  return {
    async create(options) {
      const name = options.name || newId();
      const existing = await store.lookUp(name);
      const volume = await store.create({ ...options, name });
      if (existing === undefined)
        context.events.publish('volume', 'create', volume.name, { driver: volume.driver });
      return volume;
    },
    get: name => store.inspect(name),
    list: () => store.list(),
    listOwn: () => store.listOwn(),
    listAll: () => store.listAll(),
    usersOf,
    async remove(name, options) {
      const volume = await store.lookUp(name);
      if (volume === undefined && options.force) return;
      if (volume === undefined) throw new EngineError('notFound', `get ${name}: no such volume`);
      await store.remove(name, { ...options, usedBy: usersOf });
      context.events.publish('volume', 'destroy', name, { driver: volume.driver });
    },
    async prune(options) {
      const deleted: string[] = [];
      let reclaimedBytes = 0;
      // As in Docker: what others look after is theirs.
      for (const volume of store.listOwn()) {
        const anonymous = 'com.docker.volume.anonymous' in volume.labels;
        if ((!anonymous && !options.all) || usersOf(volume.name).length > 0 || !options.matches(volume))
          continue;
        const sizeBytes = await unlessMeanwhile(async () => {
          const bytes = await store.sizeOf(volume.name);
          await store.remove(volume.name, { usedBy: usersOf });
          return bytes;
        });
        if (sizeBytes === undefined) continue;
        reclaimedBytes += sizeBytes;
        deleted.push(volume.name);
        context.events.publish('volume', 'destroy', volume.name, { driver: volume.driver });
      }
      context.events.publish('volume', 'prune', '', { reclaimed: String(reclaimedBytes) });
      return { deleted, reclaimedBytes };
    },
  };
}
