import type { Project } from '../project.ts';
import { servicesInOrder } from './up.ts';

/**
 * Which services are restarted, those of a group at once and each group after the one before: the services asked for,
 * and those that want to be restarted with them (`depends_on` with `restart: true`).
 * @param names all services when there are none
 */
export function restartGroups(
  project: Project,
  names: readonly string[],
  withDependents: boolean,
): string[][] {
  const restarted = new Set(names.length === 0 ? Object.keys(project.services) : names);
  const ordered = servicesInOrder(project, [], true);
  const needed = (name: string) =>
    Object.entries(project.services[name]?.depends_on ?? {})
      .filter(([other, { restart }]) => restart === true && restarted.has(other))
      .map(([other]) => other);
  if (withDependents) for (const name of ordered) if (needed(name).length > 0) restarted.add(name);
  const groups: string[][] = [];
  const groupOf = new Map<string, number>();
  for (const name of ordered.filter(service => restarted.has(service))) {
    const group = Math.max(0, ...needed(name).map(other => groupOf.get(other)! + 1));
    groupOf.set(name, group);
    groups[group] = [...(groups[group] ?? []), name];
  }
  return groups;
}
