import type { Build, Project, Service } from '../project.ts';

/**
 * Fills in what a project leaves unsaid: the default network, names of resources, dependencies that follow from links,
 * shared namespaces and mounts, variables without a value.
 * @param project as merged; it is not changed
 * @param environment where variables without a value have it from; undefined: they are left as they are written
 * @param directory the context of builds that name none
 */
export function normalise(
  project: Project,
  environment: ReadonlyMap<string, string> | undefined,
  directory: string,
): Project {
  const services = mapValues(project.services, service => normaliseService(service, environment, directory));
  const usesDefault = Object.values(services).some(service => 'default' in (service.networks ?? {}));
  const networks = usesDefault ? { default: null, ...project.networks } : project.networks;
  return {
    ...project,
    services,
    ...named('networks', networks),
    ...named('volumes', project.volumes),
    ...named('secrets', project.secrets),
    ...named('configs', project.configs),
  };

  function named<Section extends string, Resource extends { name: string; external?: boolean }>(
    section: Section,
    resources: Record<string, Resource | null> | undefined,
  ): { [key in Section]?: Record<string, Resource> } {
    if (resources === undefined) return {};
    const complete = Object.entries(resources).map(([key, resource]) => {
      const name = resource?.name ?? (resource?.external ? key : `${project.name}_${key}`);
      return [key, { ...resource, name }];
    });
    return { [section]: Object.fromEntries(complete) } as { [key in Section]?: Record<string, Resource> };
  }
}

function normaliseService(
  service: Service,
  environment: ReadonlyMap<string, string> | undefined,
  directory: string,
): Service {
  const normal: Service = { ...service };
  if (normal.pull_policy === 'if_not_present') normal.pull_policy = 'missing';
  if (normal.build !== undefined) normal.build = normaliseBuild(normal.build, environment, directory);
  if (normal.environment !== undefined && environment !== undefined)
    normal.environment = mapValues(
      normal.environment,
      (value, name) => value ?? environment.get(name) ?? null,
    );
  const attachable = normal.provider === undefined && normal.network_mode === undefined;
  if (attachable && Object.keys(normal.networks ?? {}).length === 0) normal.networks = { default: null };
  const dependencies = { ...impliedDependencies(normal), ...normal.depends_on };
  if (Object.keys(dependencies).length > 0) normal.depends_on = dependencies;
  return normal;
}

function normaliseBuild(
  build: Build,
  environment: ReadonlyMap<string, string> | undefined,
  directory: string,
): Build {
  const normal: Build = { ...build, context: build.context ?? directory };
  if (build.dockerfile === undefined && build.dockerfile_inline === undefined)
    normal.dockerfile = 'Dockerfile';
  if (build.args !== undefined && environment !== undefined) {
    const given = Object.entries(build.args).flatMap(([name, value]) => {
      const resolved = value ?? environment.get(name);
      return resolved === undefined ? [] : [[name, resolved] as const];
    });
    normal.args = Object.fromEntries(given);
  }
  return normal;
}

/** Services whose network, namespaces or volumes this one uses must be there first. */
function impliedDependencies(service: Service): NonNullable<Service['depends_on']> {
  const implied: NonNullable<Service['depends_on']> = {};
  const need = (name: string, restart: boolean) => {
    implied[name] ??= { condition: 'service_started', ...(restart ? { restart } : {}), required: true };
  };
  for (const link of service.links ?? []) need(link.split(':', 1)[0]!, true);
  for (const namespace of [service.network_mode, service.ipc, service.pid, service.uts, service.cgroup])
    if (namespace?.startsWith('service:')) need(namespace.slice('service:'.length), true);
  for (const from of service.volumes_from ?? [])
    if (!from.startsWith('container:')) need(from.split(':', 1)[0]!, false);
  return implied;
}

function mapValues<Value, Mapped>(
  of: Record<string, Value>,
  map: (value: Value, key: string) => Mapped,
): Record<string, Mapped> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, map(value, key)]));
}
