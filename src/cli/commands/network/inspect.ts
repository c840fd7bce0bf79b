import { perform } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { inspectAll, inspectFormatFlag } from '../../output/inspection.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  short: 'Display detailed information on one or more networks',
  flags: `
${inspectFormatFlag}
  -v, --verbose  Verbose output for diagnostics
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const query = { verbose: flags.on('verbose') };
    await inspectAll(session, args, flags.string('format'), async id => ({
      type: 'network.Inspect',
      json: await perform(client, networkOperations.inspect, { path: { id }, query }),
    }));
  },
};
