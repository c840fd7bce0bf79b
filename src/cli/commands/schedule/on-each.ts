import type { Client } from '../../../client/client.ts';
import { atLeast, type Command } from '../../command.ts';
import { askForEach } from '../../for-each.ts';
import { ofGantryd } from '../../of-gantryd.ts';

/**
 * A command that does one thing to each container's schedule.
 * @param doing for people, as the beginning of a sentence: `pausing a schedule`
 */
export function onEachSchedule(
  short: string,
  doing: string,
  ask: (client: Client, id: string) => Promise<unknown>,
): Command {
  return {
    usage: 'CONTAINER [CONTAINER...]',
    short,
    flags: '',
    takes: atLeast(1),
    run: ({ session, args }) =>
      askForEach(session, args, (client, id) => ofGantryd(doing, () => ask(client, id))),
  };
}
