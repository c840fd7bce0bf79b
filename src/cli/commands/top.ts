import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { atLeast, type Command } from '../command.ts';
import { alignColumns } from '../output/table.ts';

export const command: Command = {
  usage: 'CONTAINER [ps OPTIONS]',
  short: 'Display the running processes of a container',
  aliases: 'container top, top',
  flags: '',
  takes: atLeast(1),
  interspersed: false,
  async run({ session, args: [id = '', ...psArguments] }) {
    const query = { ps_args: psArguments.join(' ') };
    const top = await perform(await session.client(), containerOperations.top, { path: { id }, query });
    session.out.write(alignColumns([top.Titles, ...top.Processes], { minWidth: 20, padding: 1 }));
  },
};
