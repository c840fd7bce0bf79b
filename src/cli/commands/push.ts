import type { ProgressMessage } from '../../api/images.ts';
import { registryAuthHeader } from '../../api/paths.ts';
import { follow } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { refuseContentTrust } from '../content-trust.ts';
import { ProgressDisplay } from '../output/progress.ts';
import { platformQuery } from '../platform-query.ts';
import { checkReference, registryOf, splitReference } from '../references.ts';
import { encodeAuth } from '../registry-auth.ts';

export const command: Command = {
  usage: '[OPTIONS] NAME[:TAG]',
  short: 'Upload an image to a registry',
  aliases: 'image push, push',
  flags: `
  -a, --all-tags  Push all tags of an image to the repository
      --disable-content-trust  Skip image signing (default true)
  -q, --quiet  Suppress verbose output
      --platform string  Push a platform-specific manifest as a single-platform image to the registry (os[/arch[/variant]])
`,
  takes: exactly(1),
  async run({ session, flags, args: [reference = ''] }) {
    refuseContentTrust(flags);
    checkReference(reference);
    const { repository, tag, digest } = splitReference(reference);
    if (digest !== undefined) throw new EngineError('invalid', 'cannot push a digest reference');
    const all = flags.on('all-tags');
    if (all && tag !== undefined) throw new EngineError('invalid', "tag can't be used with --all-tags/-a");
    if (!all && tag === undefined && !flags.on('quiet')) session.out.line('Using default tag: latest');
    const display = new ProgressDisplay(session.out, { quiet: flags.on('quiet') });
    const input = {
      path: { name: repository },
      query: { tag: all ? undefined : (tag ?? 'latest'), platform: platformQuery(flags.string('platform')) },
      headers: { [registryAuthHeader]: await encodeAuth(session, registryOf(repository)) },
    };
    await follow(await session.client(), imageOperations.push, input, (message: ProgressMessage) =>
      display.show(message),
    );
    if (flags.on('quiet')) session.out.line(reference);
  },
};
