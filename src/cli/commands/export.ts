import { download } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { type Command, exactly } from '../command.ts';
import { fileOrOutput } from '../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  short: "Export a container's filesystem as a tar archive",
  aliases: 'container export, export',
  flags: `
  -o, --output string  Write to a file, instead of STDOUT
`,
  takes: exactly(1),
  async run({ session, flags, args: [id = ''] }) {
    const client = await session.client();
    await fileOrOutput(session, flags.string('output'), sink => {
      return download(client, containerOperations.export, { path: { id } }, sink);
    });
  },
};
