import type { ProgressMessage } from '../../api/images.ts';
import { follow } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { between, type Command } from '../command.ts';
import { ProgressDisplay } from '../output/progress.ts';
import { checkReference, splitReference } from '../references.ts';
import { fileStream } from '../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  short: 'Import the contents from a tarball to create a filesystem image',
  aliases: 'image import, import',
  flags: `
  -c, --change list  Apply Dockerfile instruction to the created image
  -m, --message string  Set commit message for imported image
      --platform string  Set platform if server is multi-platform capable
`,
  takes: between(1, 2),
  async run({ session, flags, args: [source = '', reference = ''] }) {
    if (reference !== '') checkReference(reference);
    const remote = /^https?:\/\//.test(source);
    const { repository, tag } = splitReference(reference);
    const query = {
      fromSrc: remote ? source : '-',
      repo: repository,
      tag,
      message: flags.string('message'),
      changes: flags.list('change'),
      platform: flags.string('platform'),
    };
    const body = remote ? undefined : source === '-' ? session.input.stream() : await fileStream(source);
    const display = new ProgressDisplay(session.out);
    await follow(
      await session.client(),
      imageOperations.import,
      { query, body },
      (message: ProgressMessage) => display.show(message),
    );
  },
};
