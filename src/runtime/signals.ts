import { parseSignal, signals } from '../linux/process.ts';

export const SIGKILL = signals['SIGKILL']!;

/** `SIGTERM`, `term`, `15` ... as a number. @throws EngineError invalid */
export function signalNumber(text: string): number {
  return parseSignal(text);
}
