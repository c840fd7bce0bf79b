import type { Client } from '../client/client.ts';
import { told } from './cli.ts';
import { ExitError } from './errors.ts';
import type { Session } from './session.ts';

/** Asks the daemon the same of every named thing and prints the names: see forEach. */
export async function askForEach(
  session: Session,
  names: readonly string[],
  ask: (client: Client, id: string) => Promise<unknown>,
): Promise<void> {
  const client = await session.client();
  await forEach(session, names, async id => {
    await ask(client, id);
  });
}

/**
 * Does the same to every named thing, at most fifty at a time as docker does, and prints each name when it is done, in
 * the order given (or what `act` returns in its place; null: nothing). One failure does not stop the others; failures are told at the end.
 * @throws ExitError 1 when any failed
 */
export async function forEach(
  session: Session,
  names: readonly string[],
  act: (name: string) => Promise<string | null | void>,
): Promise<void> {
  const failures: string[] = [];
  for (let start = 0; start < names.length; start += 50) {
    const batch = names.slice(start, start + 50);
    const outcomes = await Promise.allSettled(batch.map(act));
    outcomes.forEach((outcome, at) => {
      if (outcome.status === 'rejected') failures.push(told(outcome.reason));
      else if (outcome.value !== null) session.out.line(outcome.value ?? batch[at]!);
    });
  }
  if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
}
