import { join } from 'node:path';
import { Builder } from '../build/builder.ts';
import { proxyEnv, proxyFor } from '../distribution/proxies.ts';
import { parseReference, withDefaultTag } from '../distribution/reference.ts';
import { pullImage } from '../images/pull.ts';
import { pushImage } from '../images/push.ts';
import { openImageServices } from '../images/services.ts';
import { type NetworkConfig, NetworkController } from '../network/controller.ts';
import type { IdMappings } from '../oci/id-mappings.ts';
import { validateLogConfig } from '../runtime/logs/log-drivers.ts';
import { LogSinks } from '../runtime/logs/log-sinks.ts';
import { type ConfiguredRuntime, findProgram, requireProgram } from '../runtime/probe.ts';
import { Runtime } from '../runtime/runtime.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { SnapshotDriverName } from '../storage/snapshot-drivers.ts';
import { openStorage } from '../storage/storage.ts';
import { registryCachePlace } from './build-cache-registry.ts';
import { BuildExecutor } from './build-executor.ts';
import { AttachHub } from './containers/attach-hub.ts';
import type { ContainerExit, ContainerRecord } from './containers/container.ts';
import { handleExit } from './containers/exit.ts';
import { HealthMonitor } from './containers/health.ts';
import { actOnFailedHealth } from './containers/health-failure.ts';
import { RestartTimers } from './containers/restart-timers.ts';
import { ContainerStore } from './containers/store.ts';
import { containerUseCases } from './containers/use-cases.ts';
import { defaultRuntimeName, runtimeForUserNamespaces } from './containers/user-namespace.ts';
import { Visits } from './containers/visits.ts';
import { Waits } from './containers/waits.ts';
import type { EngineContext, EngineSettings } from './context.ts';
import { DiskBudgetKeeper } from './disk-budget.ts';
import { Edits } from './edit/edits.ts';
import type { Engine } from './engine.ts';
import { EventLog } from './event-log.ts';
import { EventBus, keptEvents } from './events.ts';
import { ExecStore } from './execs/store.ts';
import { execUseCases } from './execs/use-cases.ts';
import { ImageCollector } from './image-collector.ts';
import { publishImageEvent, publishTransfer } from './image-events.ts';
import { imageUseCases } from './images.ts';
import { LogRotation } from './log-rotation.ts';
import { networkUseCases } from './networks.ts';
import { reconcile } from './reconcile.ts';
import { credentialsOfBuild } from './registry-credentials.ts';
import { configureImages } from './reload.ts';
import { Scheduler } from './schedules/scheduler.ts';
import { ScheduleStore } from './schedules/store.ts';
import { scheduleUseCases } from './schedules/use-cases.ts';
import { secretUseCases } from './secrets.ts';
import { systemUseCases } from './system.ts';
import { volumeCopyUseCases } from './volume-copies.ts';
import { volumeUseCases } from './volumes.ts';

export interface EngineOptions {
  dataRoot: string;
  execRoot: string;
  log: Log;
  settings: EngineSettings;
  network: NetworkConfig;
  /** Name of an OCI runtime; undefined: the best that works. */
  runtime?: string;
  /** OCI runtimes besides those that are found, by name. */
  runtimes?: Readonly<Record<string, ConfiguredRuntime>>;
  /** Default: the best that works. */
  storageDriver?: SnapshotDriverName | undefined;
  /** userns-remap: the host's ids for those in containers. */
  remap?: IdMappings;
}

/** Opens everything, brings memory and machine into agreement, and begins to watch. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { log, settings, dataRoot, execRoot } = options;
  const startedAtMs = Date.now();
  validateLogConfig(settings.logDriver, settings.logOptions);
  const remap = options.remap && { mappings: options.remap, unshare: requireProgram('unshare') };
  if (remap) requireProgram(runtimeForUserNamespaces);
  const { storageDriver } = options;
  const storage = await openStorage({ dataRoot, execRoot, log, remap, storageDriver });
  const defaultRuntime = defaultRuntimeName(options.runtime, remap !== undefined);
  const runtime = await Runtime.probe({ execRoot, log, defaultRuntime, runtimes: options.runtimes });
  const network = NetworkController.open({ database: storage.database, log, config: options.network });
  const services = await openImageServices({
    storage,
    log,
    registries: { proxies: settings.proxies },
  });
  configureImages(services, settings);
  const { images } = services;
  const eventLog = new EventLog(storage.database, keptEvents);
  const context: EngineContext = {
    settings,
    log,
    storage,
    runtime,
    network,
    images,
    events: new EventBus(eventLog),
    containers: new ContainerStore(storage.database, log),
    edits: new Edits(storage.database, log),
    execs: new ExecStore(),
    locks: new KeyedMutex(),
    waits: new Waits(),
    visits: new Visits(),
    attachments: new AttachHub(),
    restarts: new RestartTimers(),
    health: new HealthMonitor(),
    schedules: new ScheduleStore(storage.database),
    scheduler: new Scheduler(),
    logSinks: new LogSinks(log),
  };
  context.health.attachTo(context, record => void unhealthy(context, record));
  const executor = new BuildExecutor(context);
  const builder = await Builder.open({
    images,
    storage,
    executor,
    pullImage: async (reference, pull, progress, signal) => {
      const { os, architecture, variant } = pull.platform;
      const platform = [os, architecture, variant].filter(part => part !== undefined).join('/');
      const credentials = await credentialsOfBuild(reference, pull);
      await pullImage(services, reference, { platform, credentials }, progress, signal);
      publishTransfer(context, 'pull', withDefaultTag(parseReference(reference)));
    },
    pushImage: async (reference, build, signal) => {
      const credentials = await credentialsOfBuild(reference, build);
      const pushed = await pushImage(services, reference, { credentials }, () => {}, signal);
      publishTransfer(context, 'push', withDefaultTag(parseReference(reference)));
      return pushed;
    },
    onTag: (imageId, name) => publishImageEvent(context, 'tag', imageId, name),
    directory: join(storage.paths.dataRoot, 'build'),
    platform: { os: 'linux', architecture: runtime.host.architecture },
    git: findProgram('git'),
    proxyFor: url => proxyFor(url, settings.proxies),
    proxyEnv: proxyEnv(settings.proxies),
    log,
    gc: settings.builderGc,
    entitlements: settings.builderEntitlements,
    packing: services.packing,
    openRegistryCache: async (reference, access, build) =>
      registryCachePlace(services, reference, access, await credentialsOfBuild(reference, build)),
  });

  runtime.onExit(exit => void exited(context, exit.id, exit));
  await reconcile(context);
  context.scheduler.begin(context);
  const rotation = new LogRotation(context);
  const imageCases = imageUseCases(context, services);
  const collector = new ImageCollector(context, () => imageCases.collect());
  const budget = new DiskBudgetKeeper(context, {
    cache: () => builder.usage.list(),
    pruneCache: prune => builder.prune(prune),
    unusedImageBytes: imageCases.unusedBytes,
    collectImages: imageCases.collect,
  });
  network.keepFirewall(() => verifyFirewall(context));

  return {
    containers: containerUseCases(context),
    execs: execUseCases(context),
    schedules: scheduleUseCases(context),
    images: imageCases,
    networks: networkUseCases(context),
    volumes: volumeUseCases(context),
    volumeCopies: volumeCopyUseCases(context),
    secrets: secretUseCases(context),
    system: systemUseCases(context, builder, services, startedAtMs),
    events: context.events,
    builder,
    imageStore: images,
    networkController: network,
    storage,
    async close() {
      context.scheduler.close();
      rotation.close();
      await collector.close();
      await budget.close();
      await context.logSinks.close();
      context.health.close();
      context.restarts.close();
      network.close();
      runtime.close();
      eventLog.flush();
      await storage.close();
    },
  };
}

async function unhealthy(context: EngineContext, record: ContainerRecord): Promise<void> {
  try {
    await actOnFailedHealth(context, record);
  } catch (error) {
    context.log.error({ container: record.id, err: error }, 'acting on failed health checks failed');
  }
}

function verifyFirewall(context: EngineContext): void {
  try {
    if (context.network.verify()) context.log.warn({}, 'the firewall was flushed by somebody: put back');
  } catch (error) {
    context.log.error({ err: error }, 'checking the firewall failed');
  }
}

async function exited(context: EngineContext, id: string, exit: ContainerExit): Promise<void> {
  try {
    await handleExit(context, id, exit);
  } catch (error) {
    context.log.error({ container: id, err: error }, 'settling the end of a container failed');
  }
}
