import type { Readable } from 'node:stream';
import type { Digest } from '../../oci/digest.ts';

/** Where a build cache is kept outside of the daemon: a repository of a registry, an OCI layout, a client's disk. */
export interface CachePlace {
  /** For people. */
  readonly name: string;
  /** undefined: nothing is there yet. */
  manifest(signal: AbortSignal): Promise<{ bytes: Buffer; mediaType: string } | undefined>;
  /** One manifest of an index. Nothing is verified. */
  manifestOf(digest: Digest, signal: AbortSignal): Promise<{ bytes: Buffer; mediaType: string }>;
  /** Nothing is verified: whoever receives the bytes does that. @throws EngineError `notFound` */
  read(digest: Digest, signal: AbortSignal): Promise<Readable>;
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
  write(
    blob: { digest: Digest; sizeBytes: number; open: () => Readable },
    signal: AbortSignal,
  ): Promise<void>;
  /** Comes last: from now on the place shows this cache. */
  putManifest(mediaType: string, bytes: Buffer, signal: AbortSignal): Promise<void>;
}
