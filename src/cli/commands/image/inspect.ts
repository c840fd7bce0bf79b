import { perform } from '../../../client/operation.ts';
import { imageOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { inspectAll, inspectFormatFlag } from '../../output/inspection.ts';
import { platformQuery } from '../../platform-query.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  short: 'Display detailed information on one or more images',
  flags: `
${inspectFormatFlag}
      --platform string  Inspect a specific platform of the multi-platform image (os[/arch[/variant]])
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), async name => ({
      type: 'image.InspectResponse',
      json: await perform(client, imageOperations.inspect, {
        path: { name },
        query: { platform: platformQuery(flags.string('platform')) },
      }),
    }));
  },
};
