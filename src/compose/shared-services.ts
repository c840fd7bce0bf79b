import type { Service } from './project.ts';

/** Services whose containers this one's are made with: their ids are in its configuration. */
export function sharedServices({ network_mode, ipc, pid, volumes_from = [] }: Service): string[] {
  const namespaces = [network_mode, ipc, pid].flatMap(mode =>
    mode?.startsWith('service:') ? [mode.slice('service:'.length)] : [],
  );
  const mounts = volumes_from
    .filter(from => !from.startsWith('container:'))
    .map(from => from.split(':', 1)[0]!);
  return [...new Set([...namespaces, ...mounts])];
}

/**
 * A service as it is hashed: with the ids of the containers that it is made with, as docker compose writes them. A
 * container of it is another when one of those is.
 * @param containers the first container of each of those services, as far as they are there
 */
export function withSharedContainers(
  service: Service,
  containers: Readonly<Record<string, string | undefined>>,
): Service {
  if (sharedServices(service).length === 0 && service.volumes_from === undefined) return service;
  const namespace = (mode: string) => {
    const id = mode.startsWith('service:') ? containers[mode.slice('service:'.length)] : undefined;
    return id === undefined ? mode : `container:${id}`;
  };
  const resolved: Service = { ...service };
  for (const key of ['network_mode', 'ipc', 'pid'] as const) {
    const mode = service[key];
    if (mode) resolved[key] = namespace(mode);
  }
  if (service.volumes_from !== undefined)
    resolved.volumes_from = service.volumes_from.map(from => {
      const [name = '', container = ''] = from.split(':');
      return name === 'container' ? container : (containers[name] ?? from);
    });
  return resolved;
}
