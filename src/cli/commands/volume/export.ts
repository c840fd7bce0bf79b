import { download } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { type Command, exactly } from '../../command.ts';
import { fileOrOutput } from '../../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME',
  short: 'Export what is in a volume as a tar archive',
  flags: `
  -o, --output string  Write to a file, instead of STDOUT
`,
  takes: exactly(1),
  async run({ session, flags, args: [name = ''] }) {
    const client = await session.client();
    await fileOrOutput(session, flags.string('output'), sink =>
      download(client, volumeOperations.export, { path: { name } }, sink),
    );
  },
};
