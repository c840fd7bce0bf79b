import type { Command } from '../command.ts';
import { declareFlags, FlagValues, parseFlags } from '../flags.ts';
import type { Session } from '../session.ts';

/** Runs a command of `gantry` as if its line had been typed. @returns its exit status */
export async function runOther(
  session: Session,
  path: string,
  command: Command,
  line: readonly string[],
): Promise<number> {
  const {
    values: flags,
    rest: args,
    dashAt,
  } = parseFlags(declareFlags(command.flags), line, command.interspersed ?? true);
  return (await command.run({ session, flags, groupFlags: new FlagValues([]), args, dashAt, path })) ?? 0;
}
