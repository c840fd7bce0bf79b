import type { Project, Service } from './project.ts';

/** The config that services with `use_api_socket` get; no file can name one so. */
const credentialsKey = '#apisocket';
const directory = '/run/secrets/docker';
const socketInside = '/var/run/docker.sock';

/**
 * What `use_api_socket` means: the engine's socket is in the service's containers, and the credentials for registries
 * where a client there looks for them, unless the service says itself where that is.
 * @param socket the engine's, on its own machine
 * @param auths registries' entries of a client's configuration
 */
export function withApiSocket(
  project: Project,
  socket: string,
  auths: () => Record<string, object>,
): Project {
  const services = Object.entries(project.services);
  if (!services.some(([, { use_api_socket }]) => use_api_socket)) return project;
  const content = JSON.stringify({ auths: auths() }, null, '\t');
  return {
    ...project,
    configs: { ...project.configs, [credentialsKey]: { name: credentialsKey, content } },
    services: Object.fromEntries(
      services.map(([name, service]) => [
        name,
        service.use_api_socket ? withSocket(service, socket) : service,
      ]),
    ),
  };
}

function withSocket(service: Service, socket: string): Service {
  const isSaid = service.environment !== undefined && 'DOCKER_CONFIG' in service.environment;
  const volumes = [
    ...(service.volumes ?? []),
    { type: 'bind', source: socket, target: socketInside } as const,
  ];
  if (isSaid) return { ...service, volumes };
  return {
    ...service,
    volumes,
    environment: { ...service.environment, DOCKER_CONFIG: directory },
    configs: [...(service.configs ?? []), { source: credentialsKey, target: `${directory}/config.json` }],
  };
}
