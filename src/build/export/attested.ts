import { createHash } from 'node:crypto';
import { parse } from 'node:path';
import { imageUrl } from '../../images/package-url.ts';
import type { WrittenName } from '../../images/written-names.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageConfig, Manifest, Platform } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import { digestSet } from '../attest/materials.ts';
import { type Attestation, type Subject, statementOf } from '../attest/statement.ts';
import type { ExportPlan } from './attributes.ts';
import { type Blob, blobOf, descriptorOf, type NewManifest } from './manifests.ts';
import type { BuildResult, BuiltImage } from './result.ts';
import type { ExtraFile } from './trees.ts';

const statementType = 'application/vnd.in-toto+json';
/** Of what is for no machine. */
const nowhere: Platform = { architecture: 'unknown', os: 'unknown' };

/** What a plan takes of what there is to say. */
function taken({ attestations }: BuiltImage, plan: ExportPlan): readonly Attestation[] {
  // What is not asked for by name is for others to read: here the daemon's own records say more.
  const inline = plan.type === 'image' && plan.push;
  return attestations.filter(({ inlineOnly }) => inline || !inlineOnly);
}

/** Whether anything is said of the result where it goes. */
export function attestedIn({ images }: BuildResult, plan: ExportPlan): boolean {
  return images.some(image => taken(image, plan).length > 0);
}

/** One for each image of which there is something to say. @param manifests of the images, in their order */
export function attestationsFor(
  { images }: BuildResult,
  manifests: readonly NewManifest[],
  plan: ExportPlan,
  names: readonly WrittenName[],
): NewManifest[] {
  return images.flatMap((image, index) => {
    const said = taken(image, plan);
    return said.length === 0 ? [] : [attestationManifest(manifests[index]!, said, names)];
  });
}

/** Beside exported files, about each of them. @param suffix of the name, where it does not say by its folder what it is of */
export async function attestationFiles(
  root: ConfinedRoot,
  { attestations }: BuiltImage,
  { prefix, suffix }: { prefix: string; suffix: string | undefined },
): Promise<ExtraFile[]> {
  const said = attestations.filter(({ inlineOnly }) => !inlineOnly);
  if (said.length === 0) return [];
  const subjects = await subjectsIn(root);
  return said.map(attestation => {
    const { name, ext } = parse(attestation.filename);
    return {
      name: `${prefix}${name}${suffix === undefined ? '' : `.${suffix}`}${ext}`,
      content: Buffer.from(JSON.stringify(statementOf(attestation, subjects), null, 2)),
    };
  });
}

async function subjectsIn(root: ConfinedRoot): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const { path, type } of await root.list('/', { recursive: true })) {
    if (type !== 'file') continue;
    const hash = createHash('sha256');
    for await (const chunk of root.readChunks(`/${path}`)) hash.update(chunk);
    subjects.push({ name: path, digest: { sha256: hash.digest('hex') } });
  }
  return subjects;
}

/**
 * The manifest beside an image's own in an index, whose layers are statements about it (BuildKit,
 * docs/attestations/attestation-storage.md).
 */
function attestationManifest(
  image: NewManifest,
  attestations: readonly Attestation[],
  names: readonly WrittenName[],
): NewManifest {
  const { digest, platform } = image.descriptor;
  const subjects = names.map(({ canonical }) => ({
    name: imageUrl(canonical, platform!),
    digest: digestSet(digest),
  }));
  const statements = attestations.map(attestation => {
    const blob = blobOf(Buffer.from(JSON.stringify(statementOf(attestation, subjects))), statementType);
    const annotations = { 'in-toto.io/predicate-type': attestation.predicateType };
    return { blob, descriptor: { ...descriptorOf(blob), annotations } };
  });
  const config = configOf(statements.map(({ blob }) => blob.digest));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf(config),
    layers: statements.map(({ descriptor }) => descriptor),
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const annotations = {
    'vnd.docker.reference.digest': digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  };
  return {
    descriptor: { ...descriptorOf(blobOf(bytes, mediaTypes.ociManifest)), annotations, platform: nowhere },
    bytes,
    blobs: [config, ...statements.map(({ blob }) => blob)],
  };
}

/** Registries and clients want each manifest to have the configuration of an image. */
function configOf(layers: Digest[]): Blob {
  const config: ImageConfig = { ...nowhere, config: {}, rootfs: { type: 'layers', diff_ids: layers } };
  return blobOf(Buffer.from(JSON.stringify(config)), mediaTypes.ociConfig);
}
