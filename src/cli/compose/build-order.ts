import type { Project } from '../../compose/project.ts';
import { EngineError } from '../../stdx/errors.ts';

/** Services whose images a service's image is built from (`additional_contexts: {base: service:NAME}`). */
export function builtFrom(project: Project, service: string): string[] {
  const sources = Object.values(project.services[service]?.build?.additional_contexts ?? {});
  return sources.flatMap(source => (source.startsWith('service:') ? [source.slice('service:'.length)] : []));
}

/**
 * Prepares services and those they are built from, all at once but for what waits for another's image. After a failure
 * what was begun is waited for.
 * @throws EngineError `invalid` when images need each other; else the first failure
 */
export async function inBuildOrder<Prepared>(
  project: Project,
  services: readonly string[],
  prepare: (service: string) => Promise<Prepared>,
): Promise<Record<string, Prepared>> {
  const begun = new Map<string, Promise<Prepared>>();
  let failure: unknown;
  for (const service of withSources(project, services)) {
    const before = builtFrom(project, service).map(other => begun.get(other)!);
    begun.set(
      service,
      Promise.all(before)
        .then(() => prepare(service))
        .catch(fail),
    );
  }
  await Promise.allSettled(begun.values());
  if (failure !== undefined) throw failure;
  const prepared = [...begun].map(async ([name, result]) => [name, await result] as const);
  return Object.fromEntries(await Promise.all(prepared));

  function fail(error: unknown): never {
    failure ??= error;
    throw error;
  }
}

/** Each behind those it is built from. */
export function withSources(project: Project, services: readonly string[]): string[] {
  const ordered: string[] = [];
  const visit = (service: string, path: readonly string[]): void => {
    if (path.includes(service))
      throw new EngineError('invalid', `dependency cycle detected: ${[...path, service].join(' -> ')}`);
    if (ordered.includes(service)) return;
    for (const other of builtFrom(project, service)) visit(other, [...path, service]);
    ordered.push(service);
  };
  for (const service of services) visit(service, []);
  return ordered;
}
