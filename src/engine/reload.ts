import { hostname } from 'node:os';
import type { ImageServices } from '../images/services.ts';
import type { RuntimeChoice } from '../runtime/probe.ts';
import { defaultRuntimeName } from './containers/user-namespace.ts';
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
 * Takes new settings and OCI runtimes, all or none, and says so as the event `daemon reload`.
 * @returns the names of those that have changed
 * @throws EngineError `invalid`
 */
export async function reloadSettings(
  context: EngineContext,
  services: ImageServices,
  settings: ReloadableSettings,
  choice: RuntimeChoice,
): Promise<string[]> {
  const { runtime, storage } = context;
  const defaultRuntime = defaultRuntimeName(choice.defaultRuntime, storage.mapped !== undefined);
  const runtimes = await runtime.chooseRuntimes({ ...choice, defaultRuntime });
  configureImages(services, settings);
  const changed: string[] = reloadable.filter(
    name => JSON.stringify(context.settings[name]) !== JSON.stringify(settings[name]),
  );
  for (const name of reloadable) Object.assign(context.settings, { [name]: settings[name] });
  if (runtime.takeRuntimes(runtimes)) changed.push('runtimes');
  context.events.publish('daemon', 'reload', storage.id, {
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
    'default-runtime': runtime.info.name,
    runtimes: [...runtimes.values()].map(({ name, path }) => `${name}:${path}`).join(' '),
    'live-restore': 'true',
  });
  return changed;
}
