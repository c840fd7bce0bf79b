import type { ProgressMessage } from '../../../api/images.ts';
import { follow } from '../../../client/operation.ts';
import { imageOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { ProgressDisplay } from '../../output/progress.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  short:
    "Make a base image from the distribution's own packages, with no registry (busybox, debian:trixie-slim, ubuntu:noble)",
  aliases: 'image bootstrap',
  flags: `
  -q, --quiet  Suppress verbose output
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    for (const image of args) {
      const display = new ProgressDisplay(session.out, { quiet: flags.on('quiet') });
      await follow(client, imageOperations.bootstrap, { query: { image } }, (message: ProgressMessage) =>
        display.show(message),
      );
      if (flags.on('quiet')) session.out.line(image);
    }
  },
};
