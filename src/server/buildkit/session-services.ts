import { authService, secretsService } from '../../api/buildkit/session.ts';
import type { BuildCredentials } from '../../build/request.ts';
import { type BuildSession, isNotOffered } from './sessions.ts';

/** A secret of the client's; undefined when it has none of that id. */
export async function readSecret(
  session: BuildSession,
  id: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    const { data } = await session.call(secretsService.getSecret, { id }, { signal });
    return Buffer.from(data);
  } catch (error) {
    if (isNotOffered(error)) return undefined;
    throw error;
  }
}

/** Docker Hub goes by this name here, which clients translate back. */
const hubHost = 'registry-1.docker.io';

/** What the client is logged in with; undefined when it is not. */
export async function readCredentials(
  session: BuildSession,
  registry: string,
  signal: AbortSignal,
): Promise<BuildCredentials | undefined> {
  const host = registry === 'docker.io' ? hubHost : registry;
  try {
    const { username, secret } = await session.call(authService.credentials, { host }, { signal });
    if (secret === '') return undefined;
    // A token that stands for a user who is not named.
    return username === '' ? { identityToken: secret } : { username, password: secret };
  } catch (error) {
    if (isNotOffered(error)) return undefined;
    throw error;
  }
}
