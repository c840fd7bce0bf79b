import type { Project } from './project.ts';

/** Containers of a service count from 1. */
export function containerName(project: Project, service: string, number: number): string {
  return project.services[service]?.container_name ?? joined(project, service, String(number));
}

/** What a container of `run` is called. @param slug 64 hexadecimal digits */
export function oneOffName(project: Project, service: string, slug: string): string {
  return joined(project, service, 'run', slug.slice(0, 12));
}

/** What a service's image is called, also when its files do not say. */
export function imageReference(project: Project, service: string): string {
  return project.services[service]?.image ?? joined(project, service);
}

function joined({ name, separator = '-' }: { name: string; separator?: string }, ...parts: string[]): string {
  return [name, ...parts].join(separator);
}
