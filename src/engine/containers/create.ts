import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Image } from '../../images/store.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from '../../runtime/defaults.ts';
import { validateLogConfig } from '../../runtime/logs/log-drivers.ts';
import { EngineError } from '../../stdx/errors.ts';
import { Undo } from '../../stdx/undo.ts';
import type { EngineContext, EngineSettings } from '../context.ts';
import { labelledSchedule, validateSchedule } from '../schedules/validate.ts';
import { publishContainerEvent } from './attributes.ts';
import { askedBandwidth } from './bandwidth.ts';
import type { ContainerConfig, CreateRequest, HostConfig } from './config.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import { bindSourceExists, containerDirectory, makeContainerDirectory } from './directory.ts';
import { labelledHealthFailureAction, validateHealthFailureAction } from './health-failure.ts';
import { holdImage } from './image-mounts.ts';
import { mergeConfig } from './merge.ts';
import { type PlannedMount, planMounts } from './mounts.ts';
import { newId, randomName, requireValidName } from './names.ts';
import { settleResources } from './resource-limits.ts';
import { fillVolumes } from './root.ts';
import { labelledSecrets, planSecrets, requireSecrets } from './secrets.ts';
import { mappingsFor, requireCompatible } from './user-namespace.ts';
import { validateContainerConfig, validateEndpoints, validateHostConfig } from './validate.ts';

/**
 * Makes a container: a row, a writable snapshot of the image, its anonymous volumes. Nothing runs and nothing stays
 * mounted. The row is written last, so that a crash leaves only things that no row owns, which the next start removes.
 */
export async function createContainer(
  context: EngineContext,
  request: CreateRequest,
): Promise<{ id: string; warnings: string[] }> {
  // Most containers are started right after they are made.
  context.runtime.anticipateStart();
  const id = newId();
  if (request.name !== undefined) requireName(context, request.name);
  const image = context.images.resolve(request.config.image);
  requirePlatform(image, request.platform);
  validateContainerConfig(request.config);
  const networkBandwidth = askedBandwidth(request.hostConfig, request.config.labels);
  const asked = { ...request.hostConfig, networkBandwidth };
  validateHostConfig(asked, request.config);
  const mappings = mappingsFor(context, request.hostConfig);
  requireCompatible(request.hostConfig, mappings);
  const config = mergeConfig(request.config, image.config.config ?? {});
  const settled = settleResources(asked, context.runtime.host.limits, false);
  const hostConfig = settleHostConfig(context, settled.resources);
  const { networkMode, endpoints } = settleNetworks(context, request, hostConfig.networkMode);
  hostConfig.networkMode = networkMode;
  hostConfig.healthOnFailure ??= labelledHealthFailureAction(config);
  validateHealthFailureAction({ config, hostConfig });
  hostConfig.schedule ??= labelledSchedule(request.config.labels);
  validateSchedule(hostConfig);
  settleNames(context, id, config, hostConfig);
  hostConfig.links = hostConfig.links.map(link => settleLink(context, link));
  const planned = planMounts(config, hostConfig, ref => named(context, ref).mounts);
  await requireBindSources(planned);
  hostConfig.secrets = planSecrets(
    hostConfig.secrets ?? labelledSecrets(request.config),
    planned.map(({ target }) => target),
  );
  requireSecrets(context, hostConfig.secrets);

  const undo = new Undo();
  try {
    undo.push('the container directory', () =>
      rm(containerDirectory(context, id), { recursive: true, force: true }),
    );
    await makeContainerDirectory(context, id, mappings);
    undo.push('the snapshot', () => context.storage.snapshots.remove(id));
    await context.storage.snapshots.create(id, image.chainId);
    const mounts = await settleMounts(context, id, planned, undo);
    await fillVolumes(context, { id, config, hostConfig, mounts });
    // Not before: another container may take a free name while files are made.
    const name = request.name ?? randomName(taken => context.containers.hasName(taken));
    const record = newRecord({ context, id, name, image, config, hostConfig, endpoints, mounts });
    context.storage.database.transaction(() => {
      context.containers.add(record);
      context.schedules.follow(record);
    });
    context.storage.volumes.unclaim(id);
    publishContainerEvent(context, record, 'create');
    return { id, warnings: [...settled.warnings, ...warningsFor(hostConfig)] };
  } catch (error) {
    context.storage.volumes.unclaim(id);
    await undo.run(context.log);
    throw error;
  }
}

/** @throws invalid, in Docker's words */
function chooseRuntime(context: EngineContext, asked: string): string {
  if (asked === '' || context.runtime.runtimes.has(asked)) return asked || context.runtime.info.name;
  throw new EngineError('invalid', `unknown or invalid runtime name: ${asked}`);
}

/** @throws invalid or conflict, in Docker's words */
function requireName(context: EngineContext, name: string): void {
  requireValidName(name);
  context.containers.requireFreeName(name);
}

function requirePlatform(image: Image, platform: string | undefined): void {
  if (platform === undefined || platform === '') return;
  const [os, architecture] = platform.split('/');
  if (os === image.config.os && (architecture === undefined || architecture === image.config.architecture))
    return;
  throw new EngineError(
    'notFound',
    `image with reference ${image.references[0] ?? image.id} was found but its platform (${image.config.os}/${image.config.architecture}) does not match the specified platform (${platform})`,
  );
}

/** Fills in what the daemon decides where the caller left it open. */
function settleHostConfig(context: EngineContext, asked: HostConfig): HostConfig {
  const settings = context.settings;
  return {
    ...asked,
    shmSizeBytes: asked.shmSizeBytes || settings.defaultShmSizeBytes,
    logConfig: settleLogConfig(settings, asked.logConfig),
    ipcMode: settleSharing(context, asked.ipcMode) || settings.defaultIpcMode,
    runtime: chooseRuntime(context, asked.runtime),
    cgroupnsMode:
      asked.cgroupnsMode ||
      (settings.defaultCgroupnsMode ?? (context.runtime.info.cgroupVersion === 2 ? 'private' : 'host')),
    networkMode: asked.networkMode || 'default',
    pidMode: settleSharing(context, asked.pidMode),
    memorySwapBytes:
      asked.memoryBytes > 0 && asked.memorySwapBytes === 0 ? asked.memoryBytes * 2 : asked.memorySwapBytes,
    maskedPaths:
      asked.maskedPaths ??
      (asked.privileged ? undefined : [...defaultMaskedPaths, ...context.runtime.host.throttlePaths]),
    readonlyPaths: asked.readonlyPaths ?? (asked.privileged ? undefined : [...defaultReadonlyPaths]),
    securityOpt: asked.securityOpt.length === 0 && sharesHost(asked) ? ['label=disable'] : asked.securityOpt,
  };
}

/** The daemon's options hold for its own driver, and those about what is kept for reading for all. */
function settleLogConfig(settings: EngineSettings, asked: HostConfig['logConfig']): HostConfig['logConfig'] {
  const type = asked.type || settings.logDriver;
  const defaults = Object.entries(settings.logOptions).filter(
    ([name]) => type === settings.logDriver || name.startsWith('cache-'),
  );
  const config = { ...Object.fromEntries(defaults), ...asked.config };
  validateLogConfig(type, config);
  return { type, config };
}

/** What has the host's processes or memory in view is not separated by labels either, and says so, as in Docker. */
function sharesHost({ privileged, ipcMode, pidMode }: HostConfig): boolean {
  return privileged || ipcMode === 'host' || pidMode === 'host';
}

/** Names of networks and containers become what stays true when they are renamed, where Docker does so. */
function settleNetworks(
  context: EngineContext,
  request: CreateRequest,
  mode: string,
): { networkMode: string; endpoints: ContainerRecord['endpoints'] } {
  validateEndpoints(mode, request.endpoints);
  if (mode.startsWith('container:')) {
    if (request.config.hostname !== '') {
      throw new EngineError('invalid', 'conflicting options: hostname and the network mode');
    }
    const other = named(context, mode.slice('container:'.length));
    return { networkMode: `container:${other.id}`, endpoints: {} };
  }
  const primary = mode === 'default' ? 'bridge' : mode;
  const endpoints: ContainerRecord['endpoints'] = {};
  const asked = Object.entries(request.endpoints);
  const own = asked.find(([name]) => name === mode || name === primary);
  // A network that does not exist is the start's affair, as in Docker: clients take "not found" for the image.
  const nameOf = (ref: string) => context.network.find(ref)?.name ?? ref;
  endpoints[nameOf(primary)] = own?.[1] ?? { aliases: [], links: [], driverOptions: {} };
  if (primary === 'host' && (own?.[1].ipv4Address || own?.[1].ipv6Address)) {
    throw new EngineError('invalid', 'user specified IP address is supported on user defined networks only');
  }
  for (const [name, endpoint] of asked) {
    if (name === own?.[0]) continue;
    endpoints[nameOf(name)] = endpoint;
  }
  return { networkMode: mode, endpoints };
}

/** Another container the caller names. Not `notFound` when there is none: clients take that for the image. */
function named(context: EngineContext, ref: string): ContainerRecord {
  const other = context.containers.find(ref);
  if (other === undefined) throw new EngineError('invalid', `No such container: ${ref}`);
  return other;
}

/** `db:database` with the id for the name, which may change. */
function settleLink(context: EngineContext, link: string): string {
  const [ref = '', alias = ref] = link.split(':', 2);
  const other = context.containers.find(ref);
  if (other !== undefined) return `${other.id}:${alias.replace(/^.*\//, '')}`;
  throw new EngineError('invalid', `could not get container for ${ref}: No such container: ${ref}`);
}

/** `container:db` with the id for the name; one that does not exist is the start's affair. */
function settleSharing(context: EngineContext, mode: string): string {
  if (!mode.startsWith('container:')) return mode;
  const other = context.containers.find(mode.slice('container:'.length));
  return other === undefined ? mode : `container:${other.id}`;
}

function settleNames(
  context: EngineContext,
  id: string,
  config: ContainerConfig,
  hostConfig: HostConfig,
): void {
  if (config.hostname !== '') return;
  if (hostConfig.networkMode === 'host') {
    config.hostname = hostname();
    return;
  }
  if (hostConfig.networkMode.startsWith('container:')) {
    const other = named(context, hostConfig.networkMode.slice('container:'.length));
    config.hostname = other.config.hostname;
    config.domainname = other.config.domainname;
    return;
  }
  config.hostname = id.slice(0, 12);
}

/** @throws invalid when the host does not have what --mount binds */
export async function requireBindSources(mounts: PlannedMount[]): Promise<void> {
  for (const mount of mounts) {
    if (mount.type !== 'bind' || mount.createSource || (await bindSourceExists(mount.source))) continue;
    throw new EngineError(
      'invalid',
      `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
    );
  }
}

/**
 * Makes the volumes that are not there yet, names those that have no name, and takes hold of images. Nobody removes the
 * volumes before they are unclaimed: when the container's row says that it has them, or before what was done is undone.
 */
export async function settleMounts(
  context: EngineContext,
  containerId: string,
  planned: PlannedMount[],
  undo: Undo,
): Promise<ResolvedMount[]> {
  const mounts: ResolvedMount[] = [];
  for (const { createSource: _, labels, driverOptions, ...mount } of planned) {
    if (mount.type !== 'volume') {
      mounts.push(mount.type === 'image' ? await holdImage(context, containerId, mount, undo) : mount);
      continue;
    }
    const name = mount.name === '' ? newId() : mount.name;
    const { volumes } = context.storage;
    const existing = await volumes.lookUp(name);
    const volume = await volumes.claim(name, containerId, {
      // One that was not named takes the volume as it is.
      driver: mount.driver === 'local' ? undefined : mount.driver,
      labels: mount.anonymous ? { 'com.docker.volume.anonymous': '', ...labels } : labels,
      options: driverOptions,
    });
    if (existing === undefined) {
      const usedBy = (created: string) => context.containers.usersOfVolume(created);
      undo.push(`volume ${name}`, () => volumes.remove(name, { force: true, usedBy }));
      context.events.publish('volume', 'create', name, { driver: volume.driver });
    }
    mounts.push({ ...mount, name, driver: volume.driver, source: volume.mountpoint });
  }
  return mounts;
}

interface NewRecordParts {
  context: EngineContext;
  id: string;
  name: string;
  image: Image;
  config: ContainerConfig;
  hostConfig: HostConfig;
  endpoints: ContainerRecord['endpoints'];
  mounts: ResolvedMount[];
}

function newRecord(parts: NewRecordParts): ContainerRecord {
  const { context, id, name, image, config, hostConfig, endpoints, mounts } = parts;
  const [path = '', ...args] = [...(config.entrypoint ?? []), ...(config.cmd ?? [])];
  const { os, architecture, variant } = image.config;
  return {
    id,
    name,
    createdAtMs: Date.now(),
    imageId: image.id,
    platform: { os, architecture, variant },
    config,
    hostConfig,
    endpoints,
    mounts,
    path,
    args,
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAtMs: 0,
      finishedAtMs: 0,
    },
    restartCount: 0,
    manuallyStopped: false,
    driver: context.storage.snapshots.driver,
    runtime: hostConfig.runtime,
  };
}

function warningsFor(hostConfig: HostConfig): string[] {
  if (hostConfig.networkMode !== 'host' || Object.keys(hostConfig.portBindings).length === 0) return [];
  return ['Published ports are discarded when using host network mode'];
}
