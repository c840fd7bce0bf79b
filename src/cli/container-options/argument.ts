import { EngineError, messageOf } from '../../stdx/errors.ts';
import { UsageError } from '../errors.ts';

/**
 * Reads the value of one flag. What is wrong with it is told as docker's flag parser does, with the command's usage.
 * @param shown the flag as its help shows it: `-e, --env`
 * @throws UsageError
 */
export function argument<T>(shown: string, text: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${messageOf(error)}`);
  }
}
