import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { type Command, exactly } from '../command.ts';

export const command: Command = {
  usage: 'CONTAINER',
  short: "Inspect changes to files or directories on a container's filesystem",
  aliases: 'container diff, diff',
  flags: '',
  takes: exactly(1),
  async run({ session, args: [id = ''] }) {
    const changes = await perform(await session.client(), containerOperations.changes, { path: { id } });
    for (const { Path, Kind } of changes ?? []) session.out.line(`${['C', 'A', 'D'][Kind]} ${Path}`);
  },
};
