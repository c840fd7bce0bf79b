import type { Digest } from '../oci/digest.ts';
import type { Descriptor, Index } from '../oci/image.ts';

/**
 * What an index says of one of its manifests: how it was built, what is in it. They are manifests beside it, for the
 * platform `unknown/unknown`, as BuildKit writes them.
 */
export function attestationsOf(index: Index, manifest: Digest): Descriptor[] {
  return index.manifests.filter(
    ({ annotations = {} }) =>
      annotations['vnd.docker.reference.type'] === 'attestation-manifest' &&
      annotations['vnd.docker.reference.digest'] === manifest,
  );
}
