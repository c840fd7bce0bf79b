import { EngineError } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { refuseContentTrust } from '../content-trust.ts';
import { pullImage } from '../pull-image.ts';
import { checkReference, splitReference } from '../references.ts';

export const command: Command = {
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  short: 'Download an image from a registry',
  aliases: 'image pull, pull',
  flags: `
  -a, --all-tags  Download all tagged images in the repository
      --disable-content-trust  Skip image verification (default true)
      --platform string  Set platform if server is multi-platform capable
  -q, --quiet  Suppress verbose output
`,
  takes: exactly(1),
  async run({ session, flags, args: [reference = ''] }) {
    refuseContentTrust(flags);
    checkReference(reference);
    const { repository, tag, digest } = splitReference(reference);
    const all = flags.on('all-tags');
    if (all && (tag ?? digest) !== undefined) {
      throw new EngineError('invalid', "tag can't be used with --all-tags/-a");
    }
    if (!all && tag === undefined && digest === undefined && !flags.on('quiet'))
      session.out.line('Using default tag: latest');
    await pullImage(session, reference, {
      all,
      platform: flags.string('platform'),
      quiet: flags.on('quiet'),
      to: session.out,
    });
    session.out.line(fullName(repository, all ? undefined : (tag ?? 'latest'), digest));
  },
};

/** The name as it can be pulled from anywhere. */
function fullName(repository: string, tag: string | undefined, digest: string | undefined): string {
  const first = repository.split('/')[0]!;
  const full = !repository.includes('/')
    ? `docker.io/library/${repository}`
    : first === 'localhost' || /[.:]/.test(first)
      ? repository
      : `docker.io/${repository}`;
  if (digest !== undefined) return `${full}@${digest}`;
  return tag === undefined ? full : `${full}:${tag}`;
}
