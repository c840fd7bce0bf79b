import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { between, type Command } from '../command.ts';
import { checkReference, splitReference } from '../references.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  short: "Create a new image from a container's changes",
  aliases: 'container commit, commit',
  flags: `
  -a, --author string  Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")
  -c, --change list  Apply Dockerfile instruction to the created image
  -m, --message string  Commit message
  -p, --pause  Pause container during commit (default true)
`,
  takes: between(1, 2),
  async run({ session, flags, args: [container = '', reference = ''] }) {
    if (reference !== '') checkReference(reference);
    const { repository, tag } = splitReference(reference);
    const query = {
      container,
      repo: repository,
      tag: repository === '' ? '' : (tag ?? 'latest'),
      comment: flags.string('message'),
      author: flags.string('author'),
      changes: flags.list('change'),
      // The daemon pauses unless told not to.
      pause: flags.on('pause') ? undefined : '0',
    };
    const { Id } = await perform(await session.client(), containerOperations.commit, { query });
    session.out.line(Id);
  },
};
