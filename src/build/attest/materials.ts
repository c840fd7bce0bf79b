import { digestUnder, imageUrl, layoutUrl } from '../../images/package-url.ts';
import type { Image } from '../../images/store.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/image.ts';

/** What a build took from elsewhere, by what cannot change. */
export type Material =
  | { type: 'image'; reference: string; platform: Platform; digest: string }
  /** An image in a directory of the client. */
  | { type: 'layout'; platform: Platform; digest: string }
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
    case 'layout':
      return { uri: layoutUrl(material.digest, material.platform), digest: digestSet(material.digest) };
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
  if (reference.includes('://')) {
    const digest = reference.slice(reference.indexOf('@') + 1);
    return isDigest(digest) ? { type: 'layout', platform, digest } : undefined;
  }
  return { type: 'image', reference, platform, digest: digestUnder(reference, image) };
}
