import { type Digest, isDigest } from '../oci/digest.ts';
import type { Descriptor, Index } from '../oci/image.ts';

/**
 * What an index says of one of its manifests: how it was built, what is in it. They are manifests beside it, for the
 * platform `unknown/unknown`, as BuildKit writes them.
 */
export function attestationsOf(index: Index, manifest: Digest): Descriptor[] {
  return index.manifests.filter(entry => attestedManifest(entry) === manifest);
}

/** The manifest an entry of an index is about; undefined: it is no attestation. */
export function attestedManifest({ annotations = {} }: Descriptor): Digest | undefined {
  if (annotations['vnd.docker.reference.type'] !== 'attestation-manifest') return undefined;
  const digest = annotations['vnd.docker.reference.digest'] ?? '';
  return isDigest(digest) ? digest : undefined;
}
