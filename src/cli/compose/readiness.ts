import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import type { ServiceContainer } from './service-containers.ts';

/**
 * Waits until a container runs, and is healthy when it has a check.
 * @throws EngineError when it ends, becomes unhealthy, or is not there in time
 */
export async function waitForReadiness(
  session: Session,
  { id, name }: ServiceContainer,
  limitMs: number | undefined,
): Promise<void> {
  const client = await session.client();
  const begunMs = Date.now();
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 1.5, 500)) {
    const { State } = await perform(client, containerOperations.inspect, { path: { id } });
    const health = State.Health?.Status ?? 'none';
    if (State.Status === 'exited' || State.Status === 'dead')
      throw new EngineError('conflict', `container ${name} exited (${State.ExitCode})`);
    if (health === 'unhealthy') throw new EngineError('conflict', `container ${name} is unhealthy`);
    if (State.Running && (health === 'none' || health === 'healthy')) return;
    if (limitMs !== undefined && Date.now() - begunMs > limitMs)
      throw new EngineError('cancelled', `application not healthy after ${limitMs / 1000}s`);
    await new Promise(resolve => setTimeout(resolve, waitMs));
  }
}
