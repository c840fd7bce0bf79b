import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { told } from '../cli.ts';
import { atLeast, type Command } from '../command.ts';
import { ExitError } from '../errors.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  short: 'Block until one or more containers stop, then print their exit codes',
  aliases: 'container wait, wait',
  flags: '',
  takes: atLeast(1),
  async run({ session, args }) {
    const client = await session.client();
    const failures: string[] = [];
    for (const id of args) {
      try {
        const result = await perform(client, containerOperations.wait, { path: { id } });
        if (result.Error) failures.push(result.Error.Message);
        else session.out.line(String(result.StatusCode));
      } catch (error) {
        failures.push(told(error));
      }
    }
    if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
  },
};
