import { Readable } from 'node:stream';
import type { ImageStore } from '../../images/store.ts';
import { writtenName } from '../../images/written-names.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Descriptor, ImageConfig } from '../../oci/image.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Workspace } from '../workspace.ts';
import { type ExportPlan, planExport } from './attributes.ts';
import { imageArchive } from './image-archive.ts';
import { packLayer } from './packed-layers.ts';
import { rewriteTimes } from './rewrite-times.ts';

/** Where a build's result goes, beside or instead of the image store. */
export type BuildExport =
  | { type: 'image' | 'moby'; attributes: Record<string, string> }
  /** @param write the archive, to be read to its end */
  | {
      type: 'oci' | 'docker' | 'tar';
      attributes: Record<string, string>;
      write(archive: Readable): Promise<void>;
    }
  /** @param write the result's file system; it can be read until the promise is settled */
  | { type: 'local'; attributes: Record<string, string>; write(tree: ExportedTree): Promise<void> };

export interface ExportedTree {
  root: ConfinedRoot;
  /** The time of all files; undefined: they have their own. */
  timeMs?: number;
}

/** `containerimage.digest` and what else BuildKit's exporters tell, for `--metadata-file`. */
export type ExportAnswer = Record<string, string>;

export interface BuildResult {
  /** Without its layers. */
  config: Omit<ImageConfig, 'rootfs'>;
  layers: readonly Layer[];
}

export interface ExportContext {
  images: ImageStore;
  storage: Storage;
  workspace: Workspace;
  /** Keeps a new layer until the image owns it. */
  holdLayer(chainId: Digest): void;
  /** The image is there, or what an archive holds is decided. */
  made(imageId: Digest): void;
  tag(imageId: Digest, name: string): void;
  /** @returns the manifest that the registry has for the name now */
  push(name: string): Promise<Descriptor>;
  signal: AbortSignal;
}

/** A planned export. All are planned before anything is built, so that what is not supported costs nothing. */
export interface PlannedExport {
  request: BuildExport;
  plan: ExportPlan;
}

/** @param epochMs SOURCE_DATE_EPOCH of the build, unless an export has its own. */
export function planExports(requests: readonly BuildExport[], epochMs: number | undefined): PlannedExport[] {
  return requests.map(request => {
    const attributes = { ...request.attributes };
    if (epochMs !== undefined) attributes['source-date-epoch'] ??= String(epochMs / 1000);
    const plan = planExport(request.type, attributes);
    if ('names' in plan) for (const name of plan.names) writtenName(name);
    return { request, plan };
  });
}

/** Carries out one export. */
export async function exportResult(
  { request, plan }: PlannedExport,
  result: BuildResult,
  context: ExportContext,
): Promise<ExportAnswer> {
  switch (request.type) {
    case 'image':
    case 'moby':
      return exportImage(asType(plan, 'image'), result, context);
    case 'local':
    case 'tar': {
      const { root } = await context.workspace.view(result.layers.at(-1)?.chainId);
      const { epochMs } = asType(plan, request.type);
      context.made(idOfResult(result));
      if (request.type === 'local') await request.write({ root, timeMs: epochMs });
      else await request.write(treeTar(root, epochMs));
      return {};
    }
    case 'oci':
    case 'docker':
      return exportArchive(asType(plan, request.type), request.write, result, context);
  }
}

function asType<T extends ExportPlan['type']>(plan: ExportPlan, type: T): Extract<ExportPlan, { type: T }> {
  if (plan.type !== type) throw new EngineError('internal', `a plan of ${plan.type} for ${type}`);
  return plan as Extract<ExportPlan, { type: T }>;
}

/** The result's files alone, without a top entry. */
function treeTar(root: ConfinedRoot, epochMs: number | undefined): Readable {
  const tar = root.readTar('/', { rename: '' });
  return epochMs === undefined ? tar : bytesOf(rewriteTimes(tar, epochMs, { set: true }));
}

async function exportImage(
  plan: Extract<ExportPlan, { type: 'image' }>,
  result: BuildResult,
  context: ExportContext,
): Promise<ExportAnswer> {
  const layers = plan.rewriteTimes
    ? await rewriteLayers(result.layers, plan.epochMs!, context)
    : result.layers;
  const image = await context.images.create(result.config, { layers: [...layers] });
  context.made(image.id);
  for (const name of plan.names) context.tag(image.id, name);
  let pushed: Descriptor | undefined;
  if (plan.push) for (const name of plan.names) pushed = await context.push(name);
  return {
    'containerimage.config.digest': image.id,
    'containerimage.digest': pushed?.digest ?? image.id,
    ...(pushed === undefined ? {} : descriptorAnswer(pushed)),
    ...namesAnswer(plan.names),
  };
}

/** The same layers with no time later than the epoch, as layers of the store. */
async function rewriteLayers(
  layers: readonly Layer[],
  epochMs: number,
  { storage, holdLayer, signal }: ExportContext,
): Promise<Layer[]> {
  const rewritten: Layer[] = [];
  for (const layer of layers) {
    const tar = rewriteTimes(storage.layers.tar(layer.chainId), epochMs, { set: false });
    const parent = rewritten.at(-1)?.chainId;
    const next = await storage.layers.apply({ parent, source: bytesOf(tar), signal });
    holdLayer(next.chainId);
    rewritten.push(next);
  }
  return rewritten;
}

async function exportArchive(
  plan: Extract<ExportPlan, { type: 'oci' | 'docker' }>,
  write: (archive: Readable) => Promise<void>,
  result: BuildResult,
  context: ExportContext,
): Promise<ExportAnswer> {
  const directory = await context.workspace.temporaryDirectory();
  const latestMs = plan.rewriteTimes ? plan.epochMs : undefined;
  const { storage, signal } = context;
  const { compression: form, ociTypes } = plan;
  const packed = [];
  for (const layer of result.layers) {
    packed.push(await packLayer(layer, { storage, directory, form, ociTypes, latestMs, signal }));
  }
  const config: ImageConfig = {
    ...result.config,
    rootfs: { type: 'layers', diff_ids: packed.map(layer => layer.diffId) },
  };
  const { manifest, configDigest, archive } = imageArchive(config, packed, plan.names.map(writtenName), plan);
  context.made(configDigest);
  await write(archive());
  return {
    'containerimage.config.digest': configDigest,
    'containerimage.digest': manifest.digest,
    ...descriptorAnswer(manifest),
    ...namesAnswer(plan.names),
  };
}

function descriptorAnswer(manifest: Descriptor): ExportAnswer {
  return { 'containerimage.descriptor': Buffer.from(JSON.stringify(manifest)).toString('base64') };
}

function namesAnswer(names: readonly string[]): ExportAnswer {
  if (names.length === 0) return {};
  return { 'image.name': names.map(name => writtenName(name).canonical).join(',') };
}

/** The id an image has in a store, whether it is in one or not. */
export function idOfResult({ config, layers }: BuildResult): Digest {
  const rootfs = { type: 'layers', diff_ids: layers.map(layer => layer.diffId) };
  return digestOf(JSON.stringify({ ...config, rootfs }));
}

function bytesOf(chunks: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(chunks, { objectMode: false, highWaterMark: 1 << 20 });
}
