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

/** A dockerd would take a container with a schedule, and never start it. */
export async function requireSchedules(client: Client): Promise<void> {
  await ofGantryd('scheduling a container', () => perform(client, scheduleOperations.list, {}));
}
