import type { BuildRequest } from '../build/request.ts';
import { parseReference } from '../distribution/reference.ts';
import type { RegistryCredentials } from './images.ts';

/** How Docker's config.json, and so X-Registry-Config, names Docker Hub. */
const hubKeys = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'];

/** The credentials for an image's registry among those a client sent along with a build. */
function credentialsFor(
  reference: string,
  byRegistry: Record<string, RegistryCredentials>,
): RegistryCredentials | undefined {
  const { registry } = parseReference(reference);
  const keys = registry === 'docker.io' ? hubKeys : [registry, `https://${registry}`, `http://${registry}`];
  return keys.map(key => byRegistry[key]).find(credentials => credentials !== undefined);
}

/** Those that came with a build, else those its client gives when it is asked. */
export async function credentialsOfBuild(
  reference: string,
  build: Pick<BuildRequest, 'credentials' | 'askCredentials'>,
): Promise<RegistryCredentials | undefined> {
  const sent = credentialsFor(reference, build.credentials);
  return sent ?? build.askCredentials?.(parseReference(reference).registry);
}
