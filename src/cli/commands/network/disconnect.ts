import { act } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { type Command, exactly } from '../../command.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  short: 'Disconnect a container from a network',
  flags: `
  -f, --force  Force the container to disconnect from a network
`,
  takes: exactly(2),
  async run({ session, flags, args: [id = '', Container = ''] }) {
    const json = { Container, Force: flags.on('force') };
    await act(await session.client(), networkOperations.disconnect, { path: { id }, json });
  },
};
