import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ImageConfig, ImageRunConfig } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { busyboxRoot } from './bootstrap-busybox.ts';
import { debianRoot } from './bootstrap-debian.ts';
import { hostPlatform } from './platform.ts';
import type { Progress } from './progress.ts';
import type { ImageServices } from './services.ts';
import type { Image } from './store.ts';

export interface BootstrapOptions {
  /** Base URL of a mirror; undefined: the host's own apt sources. */
  mirror?: string;
}

/** A root file system made from packages of the distribution. */
export interface BootstrappedRoot {
  tar: Readable;
  /** The same packages give the same time, so that they give the same image. */
  createdMs: number;
  config: ImageRunConfig;
  /** For the image's history. */
  madeBy: string;
  /** Removes what was needed on the way, also after a failure. */
  close(): Promise<void>;
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * A base image with no registry: from the host's busybox-static, or from Debian's packages. The same packages give
 * the same image id on every machine.
 *
 * @param spec `busybox`, `busybox:TAG`, `debian:SUITE`, `ubuntu:SUITE`; with `-slim` behind it without documentation
 * and translations.
 * @throws EngineError `invalid` for other specs; `notFound` naming the package the host lacks; `unavailable` when the
 * mirror fails; `cancelled`.
 */
export async function bootstrapImage(
  services: ImageServices,
  spec: string,
  options: BootstrapOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Image> {
  const { images, storage } = services;
  const { name, tag } = parseSpec(spec);
  progress({ id: `${name}:${tag}`, status: 'Bootstrapping' });
  const directory = join(bootstrapDirectory(storage.paths.dataRoot), crypto.randomUUID());
  const lease = images.leases.take(`bootstrap:${crypto.randomUUID()}`);
  let root: BootstrappedRoot | undefined;
  try {
    root =
      name === 'busybox'
        ? await busyboxRoot()
        : await debianRoot({ distribution: name, tag, directory, mirror: options.mirror, progress, signal });
    const layer = await storage.layers.apply({ source: root.tar, owner: lease.owner, signal });
    const image = await images.create(configOf(root), { layers: [layer] });
    images.tag(image.id, `${name}:${tag}`);
    if (name === 'busybox' && tag !== 'latest') images.tag(image.id, 'busybox:latest');
    progress({ id: `${name}:${tag}`, status: 'Bootstrapped' });
    return images.get(image.id)!;
  } catch (error) {
    if (signal.aborted) throw new EngineError('cancelled', 'context canceled', { cause: error });
    throw error;
  } finally {
    await root?.close();
    await lease.release();
  }
}

/** Work in progress; whatever is there when the daemon starts was cut short. */
export function bootstrapDirectory(dataRoot: string): string {
  return join(dataRoot, 'bootstrap');
}

function parseSpec(spec: string): { name: 'busybox' | 'debian' | 'ubuntu'; tag: string } {
  const match = /^(busybox|debian|ubuntu)(?::([a-z0-9_][a-z0-9_.-]{0,127}))?$/.exec(spec);
  if (match === null || (match[1] !== 'busybox' && match[2] === undefined)) {
    throw new EngineError(
      'invalid',
      `cannot bootstrap "${spec}": want busybox, debian:SUITE, debian:SUITE-slim or ubuntu:SUITE`,
    );
  }
  return { name: match[1] as 'busybox' | 'debian' | 'ubuntu', tag: match[2] ?? 'latest' };
}

function configOf(root: BootstrappedRoot): Omit<ImageConfig, 'rootfs'> {
  const { os, architecture } = hostPlatform();
  const created = new Date(root.createdMs).toISOString();
  return {
    created,
    architecture,
    os,
    config: root.config,
    history: [{ created, created_by: root.madeBy, comment: 'bootstrapped' }],
  };
}
