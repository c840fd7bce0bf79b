import { perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { inspectAll, inspectFormatFlag } from '../../output/inspection.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  short: 'Display detailed information on one or more containers',
  flags: `
${inspectFormatFlag}
  -s, --size  Display total file sizes
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const query = { size: flags.on('size') };
    await inspectAll(session, args, flags.string('format'), async id => ({
      type: 'container.InspectResponse',
      json: await perform(client, containerOperations.inspect, { path: { id }, query }),
    }));
  },
};
