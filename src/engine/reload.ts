import { hostname } from 'node:os';
import type { ImageServices } from '../images/services.ts';
import type { EngineContext, EngineSettings } from './context.ts';

/** Settings that may change while the daemon runs. */
export const reloadable = [
  'debug',
  'labels',
  'registryMirrors',
  'insecureRegistries',
  'defaultShmSizeBytes',
  'defaultIpcMode',
  'defaultCgroupnsMode',
  'shutdownTimeoutMs',
  'maxConcurrentDownloads',
  'maxConcurrentUploads',
  'maxDownloadAttempts',
  'imageCollection',
  'diskBudget',
] as const satisfies readonly (keyof EngineSettings)[];

export type ReloadableSettings = Pick<EngineSettings, (typeof reloadable)[number]>;

/** Gives the settings to those who keep a copy of their own. */
export function configureImages(services: ImageServices, settings: ReloadableSettings): void {
  services.registries.configure({
    mirrors: settings.registryMirrors,
    insecureRegistries: settings.insecureRegistries,
  });
  services.downloads.configure({
    concurrent: settings.maxConcurrentDownloads,
    attempts: settings.maxDownloadAttempts,
  });
  services.uploads.concurrent = settings.maxConcurrentUploads;
}

/**
 * Takes new settings, all or none, and says so as the event `daemon reload`.
 * @returns the names of those that have changed
 * @throws EngineError `invalid`
 */
export function reloadSettings(
  context: EngineContext,
  services: ImageServices,
  settings: ReloadableSettings,
): string[] {
  configureImages(services, settings);
  const changed = reloadable.filter(
    name => JSON.stringify(context.settings[name]) !== JSON.stringify(settings[name]),
  );
  for (const name of changed) Object.assign(context.settings, { [name]: settings[name] });
  context.events.publish('daemon', 'reload', context.storage.id, {
    name: hostname(),
    debug: String(settings.debug),
    labels: JSON.stringify(settings.labels),
    'registry-mirrors': JSON.stringify(settings.registryMirrors),
    'insecure-registries': JSON.stringify(settings.insecureRegistries),
    'shutdown-timeout': String(settings.shutdownTimeoutMs / 1000),
    'max-concurrent-downloads': String(settings.maxConcurrentDownloads),
    'max-concurrent-uploads': String(settings.maxConcurrentUploads),
    'max-download-attempts': String(settings.maxDownloadAttempts),
    'default-shm-size': String(settings.defaultShmSizeBytes),
    'default-ipc-mode': settings.defaultIpcMode,
    'default-cgroupns-mode': settings.defaultCgroupnsMode ?? '',
    'live-restore': 'true',
  });
  return changed;
}
