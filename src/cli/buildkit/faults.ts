import { ApiError } from '../../client/api-error.ts';
import { EngineError } from '../../stdx/errors.ts';
import { ExitError } from '../errors.ts';

/** A flag's value is wrong in itself; buildx tells it from what goes wrong with a build. */
export class FlagFault extends EngineError {
  constructor(message: string) {
    super('invalid', message);
  }
}

/** A failure as buildx tells it. */
export function buildFailure(error: unknown): unknown {
  if (!(error instanceof EngineError) || error instanceof ExitError || error instanceof ApiError)
    return error;
  const prefix = error instanceof FlagFault ? 'ERROR: ' : 'ERROR: failed to build: ';
  return new ExitError(1, prefix + error.message);
}
