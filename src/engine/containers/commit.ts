import { applyChanges } from '../../build/changes.ts';
import { familiarText, parseReference } from '../../distribution/reference.ts';
import type { HistoryEntry, ImageConfig, ImageRunConfig } from '../../oci/image.ts';
import type { EngineContext } from '../context.ts';
import type { CommitOptions } from '../engine.ts';
import { publishImageEvent } from '../image-events.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerConfig } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { mergeConfig } from './merge.ts';

/** An image of a container's root as it is now, with the container's configuration as its own. */
export async function commitContainer(
  context: EngineContext,
  ref: string,
  options: CommitOptions,
): Promise<{ imageId: string }> {
  const record = context.containers.get(ref);
  const lease = context.images.leases.takeOnce('commit');
  try {
    return await commitUnder(context, record, options, lease.owner);
  } finally {
    await lease.release();
  }
}

async function commitUnder(
  context: EngineContext,
  record: ContainerRecord,
  options: CommitOptions,
  owner: string,
): Promise<{ imageId: string }> {
  const pauses = options.pause && record.state.status === 'running';
  const config = imageConfigOf(record, options);
  const layer = await context.locks.run(record.id, async () => {
    if (pauses) {
      await context.runtime.pause(record.id);
      publishContainerEvent(context, record, 'pause');
    }
    try {
      return await context.storage.snapshots.commit(record.id, { owner, keep: true });
    } finally {
      if (pauses) {
        await context.runtime.resume(record.id);
        publishContainerEvent(context, record, 'unpause');
      }
    }
  });
  const base = context.images.get(record.imageId);
  const created = new Date().toISOString();
  const entry: HistoryEntry = {
    created,
    author: options.author || undefined,
    created_by: [record.path, ...record.args].join(' '),
    comment: options.comment || undefined,
  };
  const imageConfig: Omit<ImageConfig, 'rootfs'> = {
    ...record.platform,
    created,
    author: options.author || undefined,
    comment: options.comment || undefined,
    container: record.id,
    config,
    history: [...(base?.config.history ?? []), entry],
  };
  const image = await context.images.create(imageConfig, {
    layers: context.storage.layers.chain(layer.chainId),
    parent: record.imageId,
  });
  const name = options.repository && `${options.repository}:${options.tag || 'latest'}`;
  const attributes: Record<string, string> = { comment: options.comment ?? '', imageID: image.id };
  if (name) {
    context.images.tag(image.id, name);
    attributes['imageRef'] = familiarText(parseReference(name));
    publishImageEvent(context, 'tag', image.id, attributes['imageRef']);
  }
  publishContainerEvent(context, record, 'commit', attributes);
  return { imageId: image.id };
}

/**
 * What the image says, by Docker's order (moby, daemon/commit.go): the caller's configuration, or else the
 * container's; the changes on top of it; and below it what the container has, all but its triggers.
 */
function imageConfigOf({ config }: ContainerRecord, options: CommitOptions): ImageRunConfig {
  const changed = applyChanges(runConfigOf(options.config ?? config), options.changes);
  const asked: ContainerConfig = {
    ...config,
    user: changed.User ?? '',
    exposedPorts: Object.keys(changed.ExposedPorts ?? {}),
    env: changed.Env ?? [],
    // An empty list says nothing here, unlike in a Dockerfile: the container's own comes through.
    entrypoint: changed.Entrypoint?.length ? changed.Entrypoint : null,
    cmd: changed.Cmd?.length ? changed.Cmd : null,
    volumes: Object.keys(changed.Volumes ?? {}),
    workingDir: changed.WorkingDir ?? '',
    labels: changed.Labels ?? {},
    stopSignal: changed.StopSignal,
    healthcheck: changed.Healthcheck,
    shell: changed.Shell ?? undefined,
  };
  const merged = mergeConfig(asked, runConfigOf(config));
  return runConfigOf({ ...merged, onBuild: changed.OnBuild ?? undefined });
}

function runConfigOf(config: ContainerConfig): ImageRunConfig {
  const set = (names: string[]) => Object.fromEntries(names.map(name => [name, {}]));
  return {
    User: config.user,
    ExposedPorts: config.exposedPorts.length > 0 ? set(config.exposedPorts) : undefined,
    Env: config.env,
    Entrypoint: config.entrypoint,
    Cmd: config.cmd,
    Volumes: config.volumes.length > 0 ? set(config.volumes) : undefined,
    WorkingDir: config.workingDir,
    Labels: config.labels,
    StopSignal: config.stopSignal,
    Healthcheck: config.healthcheck,
    Shell: config.shell,
    OnBuild: config.onBuild,
  };
}
