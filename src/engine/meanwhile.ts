import { EngineError } from '../stdx/errors.ts';

/**
 * Of many things that are looked at or removed one after the other: what somebody else has removed meanwhile, or uses by
 * now, is passed over, as in Docker.
 * @returns undefined for such a one
 */
export async function unlessMeanwhile<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EngineError && (error.kind === 'notFound' || error.kind === 'conflict'))
      return undefined;
    throw error;
  }
}
