import { signalNumber } from '../../runtime/signals.ts';
import { EngineError } from '../../stdx/errors.ts';

/** SIGRTMAX. */
export const largestSignal = 64;

/** @throws invalid, in Docker's words */
export function parseSignalOption(text: string): number {
  try {
    return signalNumber(text);
  } catch {
    // Whatever is wrong with it, Docker's answer is this one.
    throw new EngineError('invalid', `Invalid signal: ${text}`);
  }
}
