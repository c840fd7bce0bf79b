import { createHash } from 'node:crypto';

/** A content address: `sha256:` and 64 lower-case hex digits (OCI image-spec, descriptor.md#digests). */
export type Digest = `sha256:${string}`;

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The hex part, 64 characters. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/**
 * The id of a layer in the place it stands, on top of its parents (OCI image-spec, config.md#layer-chainid).
 * @param parent chain id of the layer below; undefined for the bottom layer, whose chain id is its diff id.
 */
export function chainIdOf(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}

/** Chain id of a whole image; undefined for an image without layers (FROM scratch). */
export function chainIdOfAll(diffIds: readonly Digest[]): Digest | undefined {
  let chainId: Digest | undefined;
  for (const diffId of diffIds) chainId = chainIdOf(chainId, diffId);
  return chainId;
}
