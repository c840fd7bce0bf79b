import type { HostConfig } from '../api/containers.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { perform } from '../client/operation.ts';
import { scheduleOperations } from '../client/operations.ts';
import { EngineError } from '../stdx/errors.ts';

/**
 * Asks for something that only gantryd has: a dockerd has no such path.
 * @param what for people, as the beginning of a sentence: `editing a container`
 */
export async function ofGantryd<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404 || error.message !== 'page not found')
      throw error;
    throw new EngineError('notImplemented', `${what} needs gantryd: this daemon does not know how`);
  }
}

/** What a dockerd would take and leave out, by the field it is sent in. */
const ownFields = {
  GantryNetworkBandwidth: 'limiting the network',
  HealthOnFailure: 'acting on failing health',
  Schedule: 'scheduling a container',
  Secrets: 'showing secrets to a container',
} satisfies Partial<Record<keyof HostConfig, string>>;

/** @throws notImplemented when something is asked that the daemon would leave out */
export async function requireOwnFields(client: Client, asked: Partial<HostConfig>): Promise<void> {
  const own = Object.entries(ownFields).find(([field]) => asked[field as keyof HostConfig] !== undefined);
  if (own === undefined) return;
  await ofGantryd(own[1], () => perform(client, scheduleOperations.list, {}));
}
