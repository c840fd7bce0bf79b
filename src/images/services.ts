import { rm } from 'node:fs/promises';
import { Registries, type RegistriesOptions } from '../distribution/registries.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { Storage } from '../storage/storage.ts';
import { bootstrapDirectory } from './bootstrap.ts';
import { type DownloadsOptions, LayerDownloads } from './downloads.ts';
import { ImageStore } from './store.ts';

/** What pull, push, save, load, import and bootstrap work with; one for the whole daemon. */
export interface ImageServices {
  images: ImageStore;
  storage: Storage;
  registries: Registries;
  /** Shared by all pulls, so that no layer is fetched twice at once. */
  downloads: LayerDownloads;
  /** Layers sent at once by one push. */
  uploads: { concurrent: number };
  /** One compression per layer at a time, by chain id. */
  packing: KeyedMutex;
  log: Log;
}

export interface ImageServicesOptions {
  storage: Storage;
  log: Log;
  registries?: RegistriesOptions;
  downloads?: Omit<DownloadsOptions, 'blobs' | 'log'>;
}

/** Opens the image store and drops what unfinished work of long ago has left. */
export async function openImageServices(options: ImageServicesOptions): Promise<ImageServices> {
  const { storage, log } = options;
  const images = new ImageStore(storage, log);
  await images.leases.dropExpired();
  await rm(bootstrapDirectory(storage.paths.dataRoot), { recursive: true, force: true });
  return {
    images,
    storage,
    registries: new Registries(options.registries),
    downloads: new LayerDownloads({ ...options.downloads, blobs: storage.blobs, log }),
    uploads: { concurrent: 5 },
    packing: new KeyedMutex(),
    log,
  };
}
