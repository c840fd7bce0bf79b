import { canonicalName, familiarName, parseReference, withDefaultTag } from '../../distribution/reference.ts';
import type { Image } from '../../images/store.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/image.ts';
import { formatPlatform } from '../platform.ts';

/** What a build took from elsewhere, by what cannot change. */
export type Material =
  | { type: 'image'; reference: string; platform: Platform; digest: Digest }
  | { type: 'git'; url: string; commit: string }
  /** @param digest `sha256:...`, or of another algorithm that was asked for */
  | { type: 'http'; url: string; digest: string };

/** As SLSA's provenance has it. */
export interface WrittenMaterial {
  uri: string;
  digest: Record<string, string>;
}

/** Each once, in an order that does not depend on which stage came first. */
export function writtenMaterials(materials: readonly Material[]): WrittenMaterial[] {
  const written = materials.map(writeMaterial);
  const unique = new Map(written.map(one => [JSON.stringify(one), one]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function writeMaterial(material: Material): WrittenMaterial {
  switch (material.type) {
    case 'image':
      return {
        uri: imageUrl(material.reference, material.platform),
        digest: digestSet(material.digest),
      };
    case 'git':
      return {
        uri: material.url,
        digest: { [material.commit.length === 64 ? 'sha256' : 'sha1']: material.commit },
      };
    case 'http':
      return { uri: material.url, digest: digestSet(material.digest) };
  }
}

/** `{ sha256: '...' }` */
export function digestSet(digest: string): Record<string, string> {
  const [algorithm = '', hex = ''] = digest.split(':');
  return { [algorithm]: hex };
}

/** undefined: the image was named by its id, which says nothing to others. */
export function materialOf(reference: string, image: Image): Material | undefined {
  if (isDigest(reference) || isDigest(`sha256:${reference}`)) return undefined;
  const { os, architecture, variant } = image.config;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  const repository = canonicalName(parseReference(reference));
  const known = image.digests.find(text => canonicalName(parseReference(text)) === repository);
  const digest = known?.slice(known.indexOf('@') + 1) ?? image.id;
  return { type: 'image', reference, platform, digest: digest as Digest };
}

/** `pkg:docker/team/app@1.2?platform=linux%2Famd64` (package-url's specification, type docker). */
export function imageUrl(text: string, platform: Platform): string {
  const reference = withDefaultTag(parseReference(text));
  const path = familiarName(reference).split('/').map(encodeURIComponent).join('/');
  const version = reference.tag === undefined ? '' : `@${encodeURIComponent(reference.tag)}`;
  const pinned = reference.digest === undefined ? '' : `digest=${reference.digest}&`;
  return `pkg:docker/${path}${version}?${pinned}platform=${encodeURIComponent(formatPlatform(platform))}`;
}
