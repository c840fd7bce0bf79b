import type { Project, Service } from '../../compose/project.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { inspectInRegistry } from '../inspect-in-registry.ts';
import { fullReference } from '../references.ts';
import type { Session } from '../session.ts';

/**
 * The project with the digests that its images have in their registries now; each image is asked for once.
 * @throws EngineError with the image that has none
 */
export async function withDigests(session: Session, project: Project): Promise<Project> {
  const pinned = new Map<string, Promise<string>>();
  const services = await Promise.all(
    Object.entries(project.services).map(async ([name, service]): Promise<[string, Service]> => {
      if (!service.image) return [name, service];
      const reference = fullReference(service.image);
      if (!pinned.has(reference)) pinned.set(reference, pin(session, reference));
      return [name, { ...service, image: await pinned.get(reference)! }];
    }),
  );
  return { ...project, services: Object.fromEntries(services) };
}

/** Nothing but images: what is put over a project's files to keep them. */
export function imagesAlone({ services }: Project): Project {
  const kept = Object.entries(services).map(([name, { image }]): [string, Service] => [
    name,
    image === undefined ? {} : { image },
  ]);
  return { name: '', services: Object.fromEntries(kept) };
}

async function pin(session: Session, reference: string): Promise<string> {
  if (reference.includes('@')) return reference;
  try {
    return `${reference}@${await inspectInRegistry(session, reference)}`;
  } catch (error) {
    throw new EngineError('unavailable', `failed to resolve digest for ${reference}: ${messageOf(error)}`);
  }
}
