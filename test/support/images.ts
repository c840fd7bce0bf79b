import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { TarWriter } from '../../src/archive/tar-writer.ts';
import type { DownloadsOptions } from '../../src/images/downloads.ts';
import { importImage } from '../../src/images/import.ts';
import type { Progress, ProgressEvent } from '../../src/images/progress.ts';
import { type ImageServices, openImageServices } from '../../src/images/services.ts';
import type { Image } from '../../src/images/store.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { openStorage } from '../../src/storage/storage.ts';

export const never: AbortSignal = new AbortController().signal;

/** A store of images in a data-root of its own, gone after the test. */
export async function openImages(
  context: TestContext,
  options: {
    mirrors?: string[];
    downloads?: Omit<DownloadsOptions, 'blobs' | 'log'>;
    dataRoot?: string;
  } = {},
): Promise<ImageServices> {
  const base = options.dataRoot ?? (await temporaryDirectory(context));
  const storage = await openStorage({ dataRoot: base, execRoot: join(base, 'run'), log: silentLog });
  const services = await openImageServices({
    storage,
    log: silentLog,
    registries: { mirrors: options.mirrors ?? [] },
    downloads: { retryDelayMs: () => 1, ...options.downloads },
  });
  context.after(() => closeImages(services));
  return services;
}

const closed = new WeakSet<ImageServices>();

/** As when the daemon ends; the test's own end does it too. */
export async function closeImages(services: ImageServices): Promise<void> {
  if (closed.has(services)) return;
  closed.add(services);
  services.registries.close();
  await services.storage.close();
}

export async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-images-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A tar of regular files. */
export async function tarOf(files: Record<string, string | Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const tar = new TarWriter(bytes => {
    chunks.push(Buffer.from(bytes));
  });
  for (const [name, content] of Object.entries(files)) await tar.add({ name, type: 'file' }, content);
  await tar.end();
  return Buffer.concat(chunks);
}

export async function imageOf(
  services: ImageServices,
  reference: string,
  files: Record<string, string | Buffer> = { hello: `I am ${reference}` },
): Promise<Image> {
  return importImage(services, Readable.from([await tarOf(files)]), { reference }, never);
}

/** Keeps events, and tells them as docker prints them, without the bars' positions. */
export function recorder(): { progress: Progress; lines: () => string[]; events: ProgressEvent[] } {
  const events: ProgressEvent[] = [];
  const lines = () => {
    const texts = events.map(({ id, status }) => (id === undefined ? status : `${id}: ${status}`));
    return texts.filter((text, at) => text !== '' && text !== texts[at - 1]);
  };
  return { progress: event => events.push(event), lines, events };
}

export function sha256(bytes: Buffer | string): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
