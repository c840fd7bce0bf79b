import type { Credentials } from '../distribution/auth.ts';
import { parseReference, withDefaultTag } from '../distribution/reference.ts';
import type { Repository } from '../distribution/repository.ts';
import type { Descriptor, Platform } from '../oci/image.ts';
import { EngineError, kindOf, messageOf } from '../stdx/errors.ts';
import { fetchConfig } from './fetch-config.ts';
import { type ParsedManifest, parseManifest } from './manifest.ts';
import type { ImageServices } from './services.ts';

/** What a registry says of a name. */
export interface RegistryInspection {
  descriptor: Descriptor;
  /** Of an index, all that it lists; of a manifest, the one its configuration names. */
  platforms: Platform[];
}

/**
 * Looks at a name in its registry, or in a mirror, without fetching the image.
 * @throws EngineError in dockerd's words: `invalid`, `notFound`, `unauthorized`, `unavailable` …
 */
export async function inspectInRegistry(
  services: Pick<ImageServices, 'registries' | 'log'>,
  text: string,
  credentials: Credentials | undefined,
  signal: AbortSignal,
): Promise<RegistryInspection> {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw new EngineError('invalid', 'no manifest found for full image ID');
  }
  const reference = withDefaultTag(parseReference(text));
  const repositories = services.registries.repositories(reference, 'pull', credentials);
  for (const [index, repository] of repositories.entries()) {
    try {
      return await inspect(repository, reference.digest ?? reference.tag!, signal);
    } catch (error) {
      if (index === repositories.length - 1 || kindOf(error) === 'cancelled') throw asDockerd(error);
      const mirror = String(repository.endpoint.urls[0]);
      services.log.warn({ mirror, error: String(error) }, 'mirror failed');
    }
  }
  throw new EngineError('internal', `no way to reach ${reference.registry}`);
}

/** A registry that does not answer is dockerd's own error here (500), not one of a service that comes back (503). */
function asDockerd(error: unknown): unknown {
  if (kindOf(error) !== 'unavailable') return error;
  return new EngineError('internal', messageOf(error), { cause: error });
}

async function inspect(
  repository: Repository,
  name: string,
  signal: AbortSignal,
): Promise<RegistryInspection> {
  const { bytes, digest, mediaType } = await repository.manifest(name, signal);
  const parsed = parseManifest(bytes, mediaType);
  const descriptor: Descriptor = { mediaType: parsed.mediaType, digest, size: bytes.length };
  return { descriptor, platforms: await platformsOf(parsed, repository, signal) };
}

async function platformsOf(
  parsed: ParsedManifest,
  repository: Repository,
  signal: AbortSignal,
): Promise<Platform[]> {
  if (parsed.kind === 'index') return parsed.index.manifests.flatMap(({ platform }) => platform ?? []);
  const bytes = await fetchConfig(repository, parsed.manifest.config, signal);
  const { architecture = '', os = '', variant } = readPlatform(bytes);
  if (architecture === '' && os === '') return [];
  return [{ architecture, os, ...(variant === undefined ? {} : { variant }) }];
}

/** Artifacts that are no images have configurations of all kinds. */
function readPlatform(bytes: Buffer): Record<string, string> {
  try {
    const config = JSON.parse(bytes.toString()) as Record<string, unknown> | null;
    const known = ['architecture', 'os', 'variant'].map(key => [key, config?.[key]]);
    return Object.fromEntries(known.filter(([, value]) => typeof value === 'string' && value !== ''));
  } catch {
    return {};
  }
}
