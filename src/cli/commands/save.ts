import { download } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { atLeast, type Command } from '../command.ts';
import { platformQuery } from '../platform-query.ts';
import { fileOrOutput } from '../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  short: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  aliases: 'image save, save',
  flags: `
  -o, --output string  Write to a file, instead of STDOUT
      --platform string  Save only the given platform (os[/arch[/variant]])
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    await fileOrOutput(session, flags.string('output'), sink => {
      const query = { names: args, platform: platformQuery(flags.string('platform')) };
      return download(client, imageOperations.save, { query }, sink);
    });
  },
};
