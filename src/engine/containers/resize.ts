import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import { isUp } from './stop.ts';

/** Tells the container's terminal its new size. One that has none is told nothing, and that is no error in Docker. */
export async function resizeContainer(
  context: EngineContext,
  ref: string,
  size: { rows: number; columns: number },
): Promise<void> {
  const record = context.containers.get(ref);
  if (!isUp(record)) throw new EngineError('conflict', `Container ${record.id} is not running`);
  if (record.config.tty) {
    context.runtime.resize(record.id, undefined, { rows: size.rows, cols: size.columns });
  }
  publishContainerEvent(context, record, 'resize', {
    height: String(size.rows),
    width: String(size.columns),
  });
}
