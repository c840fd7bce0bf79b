import type { Observed, ObservedContainer } from '../observed.ts';
import type { Project } from '../project.ts';
import { type Plan, PlanBuilder } from './plan.ts';
import { belongsTo } from './up.ts';

export interface DownOptions {
  /** False: containers are stopped and stay (`stop`, Ctrl-C). */
  remove: boolean;
  /** The services asked for; all, and the networks, when there are none. */
  services: readonly string[];
  removeOrphans: boolean;
  /** Volumes, too (`-v`): named ones and those of the containers alone. */
  volumes: boolean;
}

/**
 * What takes a project away: containers before those they depend on, then networks and volumes. Without the project's
 * files (undefined) everything with its name goes.
 */
export function planDown(
  name: string,
  project: Project | undefined,
  observed: Observed,
  options: DownOptions,
): Plan {
  const steps = new PlanBuilder();
  const isKnown = (service: string) => project === undefined || project.services[service] !== undefined;
  const going = observed.containers.filter(({ service }) =>
    options.services.length > 0
      ? options.services.includes(service)
      : isKnown(service) || options.removeOrphans,
  );
  const stopped = new Map<string, number[]>();
  for (const service of dependentsFirst(going, project)) {
    const before = dependentsOf(service, project).flatMap(other => stopped.get(other) ?? []);
    const ids = going
      .filter(container => container.service === service)
      .flatMap(container => ending(steps, container, before, options));
    stopped.set(service, ids);
  }
  if (options.services.length > 0 || !options.remove) return steps.steps;
  const removed = [...stopped.values()].flat();
  for (const [network, { labels }] of observed.networks)
    if (belongsTo(name, labels)) steps.add({ do: 'remove network', name: network }, removed);
  if (options.volumes)
    for (const [volume, { labels }] of observed.volumes)
      if (belongsTo(name, labels)) steps.add({ do: 'remove volume', name: volume }, removed);
  return steps.steps;
}

/** @returns the last step of a container; none when there is nothing to do */
function ending(
  steps: PlanBuilder,
  { name, service, running, paused }: ObservedContainer,
  before: readonly number[],
  { remove, volumes }: DownOptions,
): number[] {
  const stop = running || paused ? steps.add({ do: 'stop container', service, name }, before) : undefined;
  if (!remove) return stop === undefined ? [] : [stop];
  return [steps.add({ do: 'remove container', service, name, volumes }, [stop, ...before])];
}

/** Services of containers, each before those it depends on. */
function dependentsFirst(containers: readonly ObservedContainer[], project: Project | undefined): string[] {
  const names = [...new Set(containers.map(({ service }) => service))].sort();
  const ordered: string[] = [];
  const visit = (name: string) => {
    if (ordered.includes(name)) return;
    for (const other of dependentsOf(name, project)) visit(other);
    if (names.includes(name)) ordered.push(name);
  };
  names.forEach(visit);
  return ordered;
}

function dependentsOf(name: string, project: Project | undefined): string[] {
  return Object.entries(project?.services ?? {})
    .filter(([, service]) => name in (service.depends_on ?? {}))
    .map(([other]) => other)
    .sort();
}
