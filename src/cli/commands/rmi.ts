import { perform } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { kindOf } from '../../stdx/errors.ts';
import { told } from '../cli.ts';
import { atLeast, type Command } from '../command.ts';
import { ExitError } from '../errors.ts';
import { platformQuery } from '../platform-query.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  short: 'Remove one or more images',
  aliases: 'image rm, image remove, rmi',
  flags: `
  -f, --force  Force removal of the image
      --no-prune  Do not delete untagged parents
      --platform strings  Remove only the given platform variant (os[/arch[/variant]])
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const platforms = flags.list('platform').flatMap(text => platformQuery(text) ?? []);
    const query = { force: flags.on('force'), noprune: flags.on('no-prune'), platforms };
    const failures: string[] = [];
    let fatal = false;
    for (const name of args) {
      try {
        for (const item of await perform(client, imageOperations.remove, { path: { name }, query })) {
          session.out.line(
            item.Deleted === undefined ? `Untagged: ${item.Untagged}` : `Deleted: ${item.Deleted}`,
          );
        }
      } catch (error) {
        failures.push(told(error));
        if (kindOf(error) !== 'notFound') fatal = true;
      }
    }
    if (failures.length === 0) return 0;
    // --force means: be content when it is gone already.
    throw new ExitError(fatal || !flags.on('force') ? 1 : 0, failures.join('\n'));
  },
};
