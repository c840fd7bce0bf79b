import type { CachePlace } from '../build/transfer/place.ts';
import { familiarText, parseReference, withDefaultTag } from '../distribution/reference.ts';
import type { Repository } from '../distribution/repository.ts';
import type { ImageServices } from '../images/services.ts';
import { kindOf } from '../stdx/errors.ts';
import type { RegistryCredentials } from './images.ts';

/** A repository and tag as the place of a build cache; or, to read, an image with an inline cache. */
export function registryCachePlace(
  services: ImageServices,
  text: string,
  access: 'pull' | 'push',
  credentials: RegistryCredentials | undefined,
): CachePlace {
  const reference = withDefaultTag(parseReference(text));
  // The registry itself: a mirror may be behind, and takes nothing.
  const repository: Repository = services.registries.repositories(reference, access, credentials).at(-1)!;
  const tag = reference.digest ?? reference.tag!;
  return {
    name: familiarText(reference),
    async manifest(signal) {
      try {
        return await repository.manifest(tag, signal);
      } catch (error) {
        if (kindOf(error) === 'notFound') return undefined;
        throw error;
      }
    },
    manifestOf: (digest, signal) => repository.manifest(digest, signal),
    async read(digest, signal) {
      return (await repository.blob(digest, 0, signal)).body;
    },
    async has(digest, signal) {
      return (await repository.blobSize(digest, signal)) !== undefined;
    },
    async write({ digest, sizeBytes, open }, signal) {
      const upload = await repository.startUpload(signal);
      await repository.finishUpload(upload, digest, { body: open, sizeBytes }, signal);
    },
    async putManifest(mediaType, bytes, signal) {
      await repository.putManifest(tag, mediaType, bytes, signal);
    },
  };
}
