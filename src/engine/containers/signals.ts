import { SIGKILL, signalNumber } from '../../runtime/signals.ts';
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

/**
 * The signal that stops a container. Docker takes any number here but 0, and a container whose signal the kernel does
 * not have is killed when it is to stop.
 * @throws invalid, in Docker's words
 */
export function parseStopSignal(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) return parseSignalOption(text);
  const number = Number(text);
  if (number === 0) throw new EngineError('invalid', `Invalid signal: ${text}`);
  return number > 0 && number <= largestSignal ? number : SIGKILL;
}
