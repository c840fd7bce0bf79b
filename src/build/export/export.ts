import { Readable } from 'node:stream';
import type { Lease } from '../../images/leases.ts';
import type { ImageServices } from '../../images/services.ts';
import type { ImageStore } from '../../images/store.ts';
import { writtenName } from '../../images/written-names.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Descriptor, ImageConfig } from '../../oci/image.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Workspace } from '../workspace.ts';
import { descriptorAnswer, type ExportAnswer } from './answer.ts';
import { attestationFiles, attestationsFor, attestedIn } from './attested.ts';
import { type ExportPlan, planExport } from './attributes.ts';
import { imageArchive } from './image-archive.ts';
import { type Blob, blobOf, imageIndex, imageManifest, type NewManifest } from './manifests.ts';
import { packLayer } from './packed-layers.ts';
import { type BuildResult, type BuiltImage, mainImage, platformFolder } from './result.ts';
import { type LayerTimes, rewriteTimes } from './rewrite-times.ts';
import { storeIndexed } from './store-indexed.ts';
import { type ExportedTree, foldersOf, refuseCollisions, treesTar } from './trees.ts';

/** Where a build's result goes, beside or instead of the image store. */
export type BuildExport =
  | { type: 'image' | 'moby'; attributes: Record<string, string> }
  /** @param write the archive, to be read to its end */
  | {
      type: 'oci' | 'docker' | 'tar';
      attributes: Record<string, string>;
      write(archive: Readable): Promise<void>;
    }
  /** @param writeBlobs an image in no archive: its blobs, each once, what is named before what names it */
  | {
      type: 'oci' | 'docker';
      attributes: Record<string, string>;
      writeBlobs(blobs: readonly Blob[]): Promise<void>;
    }
  /** @param write one platform's file system; it can be read until the promise is settled */
  | { type: 'local'; attributes: Record<string, string>; write(tree: ExportedTree): Promise<void> };

export interface ExportContext {
  images: ImageStore;
  storage: Storage;
  packing: ImageServices['packing'];
  workspace: Workspace;
  /** Keeps what is new until the image owns it. */
  lease: Pick<Lease, 'owner' | 'holdLayer' | 'holdBlob'>;
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

/**
 * @param options `epochMs` is SOURCE_DATE_EPOCH of the build, unless an export has its own; `attested`: there are attestations
 * for all exports
 */
export function planExports(
  requests: readonly BuildExport[],
  options: { epochMs: number | undefined; several: boolean; attested: boolean },
): PlannedExport[] {
  const { epochMs } = options;
  const isIndex = options.several || options.attested;
  return requests.map(request => {
    const attributes = { ...request.attributes };
    if (epochMs !== undefined) attributes['source-date-epoch'] ??= String(epochMs / 1000);
    const plan = planExport(request.type, attributes);
    if ('names' in plan) for (const name of plan.names) writtenName(name);
    if (plan.type === 'docker' && isIndex) {
      const message = 'docker exporter does not currently support exporting manifest lists';
      throw new EngineError('notImplemented', message);
    }
    if ('ociTypes' in plan && plan.ociTypes === false && options.attested)
      throw new EngineError('invalid', 'cannot export attestations with "oci-mediatypes=false"');
    if ('annotations' in plan && !isIndex && plan.annotations.some(({ of }) => of.startsWith('index')))
      throw new EngineError('invalid', 'index annotations not supported for single platform export');
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
    case 'local': {
      const trees = await exportedTrees(asType(plan, 'local'), result, context);
      for (const tree of trees) await request.write(tree);
      return {};
    }
    case 'tar':
      await request.write(treesTar(await exportedTrees(asType(plan, 'tar'), result, context)));
      return {};
    case 'oci':
    case 'docker':
      return exportArchive(asType(plan, request.type), request, result, context);
  }
}

function asType<T extends ExportPlan['type']>(plan: ExportPlan, type: T): Extract<ExportPlan, { type: T }> {
  if (plan.type !== type) throw new EngineError('internal', `a plan of ${plan.type} for ${type}`);
  return plan as Extract<ExportPlan, { type: T }>;
}

async function exportedTrees(
  plan: Extract<ExportPlan, { type: 'local' | 'tar' }>,
  result: BuildResult,
  { workspace, made }: ExportContext,
): Promise<ExportedTree[]> {
  const { type, split, epochMs } = plan;
  const folders = foldersOf(result, split);
  const trees: ExportedTree[] = [];
  for (const [index, image] of result.images.entries()) {
    const { root } = await workspace.view(image.layers.at(-1)?.chainId);
    const suffix = result.several && folders[index] === undefined ? platformFolder(image) : undefined;
    const extras = await attestationFiles(root, image, { prefix: plan.attestationPrefix, suffix });
    const timeMs = epochMs ?? (type === 'tar' ? result.commitMs : undefined);
    trees.push({ root, folder: folders[index], extras, timeMs });
  }
  if (trees.length > 1 && folders[0] === undefined) await refuseCollisions(result, trees);
  made(idOfImage(mainImage(result)));
  return trees;
}

async function exportImage(
  plan: Extract<ExportPlan, { type: 'image' }>,
  result: BuildResult,
  context: ExportContext,
): Promise<ExportAnswer> {
  const images: BuiltImage[] = [];
  for (const image of result.images) {
    const layers =
      plan.rewriteTimes === true ? await rewriteLayers(image, plan, result, context) : image.layers;
    images.push({ ...image, layers });
  }
  const settled = { ...result, images };
  const attested = attestedIn(settled, plan);
  const indexed = result.several || attested || plan.ociTypes === true || plan.annotations.length > 0;
  const { imageId, answer } = indexed
    ? await storeIndexed(settled, plan, context)
    : await storeAlone(mainImage(settled), context);
  context.made(imageId);
  for (const name of plan.names) context.tag(imageId, name);
  let pushed: Descriptor | undefined;
  if (plan.push) for (const name of plan.names) pushed = await context.push(name);
  const described =
    pushed === undefined ? answer : { 'containerimage.digest': pushed.digest, ...descriptorAnswer(pushed) };
  return { 'containerimage.config.digest': imageId, ...described, ...namesAnswer(plan.names) };
}

/** Its manifest is made when it is pushed: only then its layers must be packed. */
async function storeAlone(
  { config, layers }: BuiltImage,
  { images }: ExportContext,
): Promise<{ imageId: Digest; answer: ExportAnswer }> {
  const { id } = await images.create(config, { layers: [...layers] });
  return { imageId: id, answer: { 'containerimage.digest': id } };
}

/**
 * What becomes of a layer's times. With SOURCE_DATE_EPOCH none is later; the time of a commit is that of all files, as
 * the steps may have been made for an earlier one, except of those that the base image has. Without a time there is
 * nothing they could be set to, and nothing is done, as in BuildKit.
 */
function timesOf(
  layer: Layer,
  { epochMs }: ExportPlan,
  { ownLayers }: BuiltImage,
  { commitMs }: BuildResult,
): LayerTimes | undefined {
  if (epochMs !== undefined) return { timeMs: epochMs, change: 'latest' };
  if (commitMs === undefined || !ownLayers.includes(layer)) return undefined;
  return { timeMs: commitMs, change: 'all' };
}

/** The same layers with other times, as layers of the store. */
async function rewriteLayers(
  image: BuiltImage,
  plan: ExportPlan,
  result: BuildResult,
  { storage, lease, signal }: ExportContext,
): Promise<Layer[]> {
  const rewritten: Layer[] = [];
  for (const layer of image.layers) {
    const times = timesOf(layer, plan, image, result);
    if (times === undefined) {
      rewritten.push(layer);
      continue;
    }
    const tar = rewriteTimes(storage.layers.tar(layer.chainId), times);
    const parent = rewritten.at(-1)?.chainId;
    const source = Readable.from(tar, { objectMode: false, highWaterMark: 1 << 20 });
    const next = await storage.layers.apply({ parent, source, signal });
    lease.holdLayer(next.chainId);
    rewritten.push(next);
  }
  return rewritten;
}

async function exportArchive(
  plan: Extract<ExportPlan, { type: 'oci' | 'docker' }>,
  to: { write(archive: Readable): Promise<void> } | { writeBlobs(blobs: readonly Blob[]): Promise<void> },
  result: BuildResult,
  context: ExportContext,
): Promise<ExportAnswer> {
  const manifests: NewManifest[] = [];
  for (const image of result.images) manifests.push(await packedManifest(plan, image, result, context));
  const [first] = manifests as [NewManifest];
  const attested = attestedIn(result, plan);
  const names = plan.names.map(writtenName);
  const attestations = attested ? attestationsFor(result, manifests, plan, names) : [];
  const index = result.several || attested ? imageIndex([...manifests, ...attestations], plan) : undefined;
  const { descriptor: root } = index ?? first;
  const main = manifests[result.images.indexOf(mainImage(result))]!;
  const configDigest = main.blobs[0]!.digest;
  context.made(configDigest);
  const blobs = [
    ...[...manifests, ...attestations].flatMap(withItself),
    ...(index === undefined ? [] : [blobOf(index.bytes, index.descriptor.mediaType)]),
  ];
  const archived = {
    root,
    blobs,
    ...(plan.type === 'docker' ? { loaded: first } : {}),
    names,
    created: mainImage(result).config.created ?? '1970-01-01T00:00:00Z',
  };
  if ('writeBlobs' in to) await to.writeBlobs([...new Map(blobs.map(blob => [blob.digest, blob])).values()]);
  else await to.write(imageArchive(archived));
  return {
    'containerimage.config.digest': configDigest,
    'containerimage.digest': root.digest,
    ...descriptorAnswer(root),
    ...namesAnswer(plan.names),
  };
}

async function packedManifest(
  plan: Extract<ExportPlan, { type: 'oci' | 'docker' }>,
  image: BuiltImage,
  result: BuildResult,
  { workspace, storage, signal }: ExportContext,
): Promise<NewManifest> {
  const directory = await workspace.temporaryDirectory();
  const { compression: form, ociTypes } = plan;
  // An archive is handed on as a whole: that it is the same everywhere costs nobody a layer he already had.
  const rewrites = plan.rewriteTimes ?? plan.epochMs === undefined;
  const packed = [];
  for (const layer of image.layers) {
    const times = rewrites ? timesOf(layer, plan, image, result) : undefined;
    packed.push(await packLayer(layer, { storage, directory, form, ociTypes, times, signal }));
  }
  const config: ImageConfig = {
    ...image.config,
    rootfs: { type: 'layers', diff_ids: packed.map(layer => layer.diffId) },
  };
  return imageManifest(config, packed, plan);
}

function withItself({ descriptor, bytes, blobs }: NewManifest): Blob[] {
  return [...blobs, blobOf(bytes, descriptor.mediaType)];
}

function namesAnswer(names: readonly string[]): ExportAnswer {
  if (names.length === 0) return {};
  return { 'image.name': names.map(name => writtenName(name).canonical).join(',') };
}

/** The id an image has in a store, whether it is in one or not. */
export function idOfImage({ config, layers }: BuiltImage): Digest {
  const rootfs = { type: 'layers', diff_ids: layers.map(layer => layer.diffId) };
  return digestOf(JSON.stringify({ ...config, rootfs }));
}
