import type { ImageSummary } from '../../api/images.ts';
import { encodeFilters, perform } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { humanDuration } from '../../stdx/human-duration.ts';
import { type Command, upTo } from '../command.ts';
import { parseFilters } from '../filters.ts';
import { type ListLayout, listFormatFlag, printList } from '../output/list.ts';
import { goLocalTime, humanSize } from '../output/units.ts';
import { splitReference } from '../references.ts';

export const command: Command = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  short: 'List images',
  aliases: 'image ls, image list, images',
  flags: `
  -a, --all  Show all images (default hides intermediate images)
      --digests  Show digests
  -f, --filter filter  Filter output based on conditions provided
${listFormatFlag}
      --no-trunc  Don't truncate output
  -q, --quiet  Only show image IDs
      --tree  List multi-platform images as a tree
`,
  takes: upTo(1),
  async run({ session, flags, args }) {
    const filters = parseFilters(flags.list('filter'));
    if (args[0] !== undefined) filters.set('reference', [...(filters.get('reference') ?? []), args[0]]);
    const query = { all: flags.on('all'), filters: encodeFilters(filters) };
    if (flags.on('tree')) {
      for (const flag of ['digests', 'format', 'no-trunc', 'quiet']) {
        if (flags.given(flag) !== undefined)
          throw new EngineError('invalid', `--${flag} is not supported with --tree`);
      }
      const { printImageTree } = await import('../output/image-tree.ts');
      const withManifests = { ...query, manifests: true };
      const found = await perform(await session.client(), imageOperations.list, { query: withManifests });
      printImageTree(session.out, found, { all: flags.on('all') });
      return;
    }
    const images = await perform(await session.client(), imageOperations.list, { query });
    const format = flags.string('format') || (flags.on('quiet') ? '' : (session.config().imagesFormat ?? ''));
    const digests = flags.on('digests') || /\.Digest\b/.test(format);
    const layout = imageLayout({ truncate: !flags.on('no-trunc'), digests: flags.on('digests') });
    printList(session.out, layout, imageRows(images, digests), { format, quiet: flags.on('quiet') });
  },
};

/** One line of the list: an image under one of its names. */
export interface ImageRow {
  image: ImageSummary;
  repository: string;
  tag: string;
  digest: string;
}

const none = '<none>';

/** Images are shown once per tag, or per tag and digest; nameless ones once. */
export function imageRows(images: readonly ImageSummary[], digests: boolean): ImageRow[] {
  return images.flatMap(image => {
    const tags = (image.RepoTags ?? []).filter(name => name !== '<none>:<none>').map(splitReference);
    const byDigest = (image.RepoDigests ?? []).filter(name => name !== '<none>@<none>').map(splitReference);
    if (tags.length === 0 && byDigest.length === 0)
      return [{ image, repository: none, tag: none, digest: none }];
    const rows: ImageRow[] = [];
    const repositories = [...new Set([...tags, ...byDigest].map(name => name.repository))];
    for (const repository of repositories) {
      const ownTags = tags.filter(name => name.repository === repository).map(name => name.tag ?? none);
      const ownDigests = byDigest
        .filter(name => name.repository === repository)
        .map(name => name.digest ?? none);
      if (!digests) {
        for (const tag of ownTags.length > 0 ? ownTags : [none])
          rows.push({ image, repository, tag, digest: ownDigests[0] ?? none });
        continue;
      }
      for (const tag of ownTags.length > 0 ? ownTags : [none]) {
        for (const digest of ownDigests.length > 0 ? ownDigests : [none])
          rows.push({ image, repository, tag, digest });
      }
    }
    return rows;
  });
}

export function imageLayout({
  truncate,
  digests,
}: {
  truncate: boolean;
  digests: boolean;
}): ListLayout<ImageRow> {
  return {
    typeName: '*formatter.imageContext',
    headers: {
      ID: 'IMAGE ID',
      Repository: 'REPOSITORY',
      Tag: 'TAG',
      Digest: 'DIGEST',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      Size: 'SIZE',
      Containers: 'CONTAINERS',
      VirtualSize: 'SIZE',
      SharedSize: 'SHARED SIZE',
      UniqueSize: 'UNIQUE SIZE',
    },
    columns: ['Repository', 'Tag', ...(digests ? ['Digest'] : []), 'ID', 'CreatedSince', 'Size'],
    quietField: 'ID',
    raw: [
      ['repository', 'Repository'],
      ['tag', 'Tag'],
      ...(digests ? [['digest', 'Digest'] as const] : []),
      ['image_id', 'ID'],
      ['created_at', 'CreatedAt'],
      ['virtual_size', 'Size'],
    ],
    row: ({ image, repository, tag, digest }) => ({
      ID: () => (truncate ? image.Id.replace(/^sha256:/, '').slice(0, 12) : image.Id),
      Repository: repository,
      Tag: tag,
      Digest: digest,
      CreatedSince: () =>
        image.Created <= 0 ? 'N/A' : `${humanDuration(Date.now() - image.Created * 1000)} ago`,
      CreatedAt: () => goLocalTime(image.Created * 1000),
      Size: () => humanSize(image.Size, 3),
      VirtualSize: () => humanSize(image.Size, 4),
      Containers: () => (image.Containers === -1 ? 'N/A' : String(image.Containers)),
      SharedSize: () => (image.SharedSize === -1 ? 'N/A' : humanSize(image.SharedSize)),
      UniqueSize: () => (image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize)),
    }),
  };
}
