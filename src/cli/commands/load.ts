import type { ProgressMessage } from '../../api/images.ts';
import { open } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { type Command, noArguments } from '../command.ts';
import { ProgressDisplay } from '../output/progress.ts';
import { platformQuery } from '../platform-query.ts';
import { fileStream, jsonMessages } from '../streams.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Load an image from a tar archive or STDIN',
  aliases: 'image load, load',
  flags: `
  -i, --input string  Read from tar archive file, instead of STDIN
  -q, --quiet  Suppress the load output
      --platform string  Load only the given platform (os[/arch[/variant]])
`,
  takes: noArguments,
  async run({ session, flags }) {
    const file = flags.string('input');
    if (file === '' && session.input.isTerminal) {
      throw new EngineError('invalid', 'requested load from stdin, but stdin is empty');
    }
    const body = file === '' ? session.input.stream() : await fileStream(file);
    const quiet = flags.on('quiet') || !session.out.isTerminal;
    const response = await open(await session.client(), imageOperations.load, {
      body,
      query: { quiet, platform: platformQuery(flags.string('platform')) },
    });
    const display = new ProgressDisplay(session.out);
    await jsonMessages<ProgressMessage>(response, message => display.show(message));
  },
};
