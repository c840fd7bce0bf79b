import { perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { inspectAll, inspectFormatFlag } from '../../output/inspection.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  short: 'Display detailed information on one or more volumes',
  flags: `
${inspectFormatFlag}
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), async name => ({
      type: 'volume.Volume',
      own: true,
      json: await perform(client, volumeOperations.inspect, { path: { name } }),
    }));
  },
};
