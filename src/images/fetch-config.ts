import type { Repository } from '../distribution/repository.ts';
import { digestOf } from '../oci/digest.ts';
import type { Descriptor } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';

/** A configuration is a few kilobytes; this is for the ones with a thousand history entries. */
const configLimitBytes = 8 << 20;

/**
 * Reads a small blob into memory, and verifies it.
 * @throws EngineError `corrupt` when size or digest are not the descriptor's, `invalid` when it is no small one.
 */
export async function fetchConfig(
  repository: Repository,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  if (descriptor.size > configLimitBytes) {
    throw new EngineError('invalid', `the image configuration is too large: ${descriptor.size} bytes`);
  }
  const { body } = await repository.blob(descriptor.digest, 0, signal);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > descriptor.size) throw verificationFailed(descriptor);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (size === descriptor.size && digestOf(bytes) === descriptor.digest) return bytes;
  throw verificationFailed(descriptor);
}

function verificationFailed({ digest }: Descriptor): EngineError {
  return new EngineError('corrupt', `image config verification failed for digest ${digest}`);
}
