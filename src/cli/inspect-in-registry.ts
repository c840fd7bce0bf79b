import { registryAuthHeader } from '../api/paths.ts';
import { perform } from '../client/operation.ts';
import { imageOperations } from '../client/operations.ts';
import { registryOf, splitReference } from './references.ts';
import { encodeAuth } from './registry-auth.ts';
import type { Session } from './session.ts';

/**
 * Asks a registry, by the daemon, for an image.
 * @returns the digest of its index or manifest
 * @throws when the registry does not have it or cannot be reached
 */
export async function inspectInRegistry(session: Session, reference: string): Promise<string> {
  const { Descriptor } = await perform(await session.client(), imageOperations.inspectInRegistry, {
    path: { name: reference },
    headers: {
      [registryAuthHeader]: await encodeAuth(session, registryOf(splitReference(reference).repository)),
    },
  });
  return Descriptor.digest;
}
