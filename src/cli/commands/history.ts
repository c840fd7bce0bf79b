import type { ImageHistoryItem } from '../../api/images.ts';
import { perform } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { humanDuration } from '../../stdx/human-duration.ts';
import { type Command, exactly } from '../command.ts';
import { type ListLayout, listFormatFlag, printList } from '../output/list.ts';
import { ellipsis } from '../output/table.ts';
import { humanSize } from '../output/units.ts';
import { platformQuery } from '../platform-query.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE',
  short: 'Show the history of an image',
  aliases: 'image history, history',
  flags: `
${listFormatFlag}
  -H, --human  Print sizes and dates in human readable format (default true)
      --no-trunc  Don't truncate output
  -q, --quiet  Only show image IDs
      --platform string  Show history for the given platform (os[/arch[/variant]])
`,
  takes: exactly(1),
  async run({ session, flags, args }) {
    const history = await perform(await session.client(), imageOperations.history, {
      path: { name: args[0]! },
      query: { platform: platformQuery(flags.string('platform')) },
    });
    const layout = historyLayout({ truncate: !flags.on('no-trunc'), human: flags.on('human') });
    printList(session.out, layout, history, { format: flags.string('format'), quiet: flags.on('quiet') });
  },
};

function historyLayout({
  truncate,
  human,
}: {
  truncate: boolean;
  human: boolean;
}): ListLayout<ImageHistoryItem> {
  return {
    typeName: '*image.historyContext',
    headers: {
      ID: 'IMAGE',
      CreatedAt: 'CREATED AT',
      CreatedSince: 'CREATED',
      CreatedBy: 'CREATED BY',
      Size: 'SIZE',
      Comment: 'COMMENT',
    },
    columns: ['ID', human ? 'CreatedSince' : 'CreatedAt', 'CreatedBy', 'Size', 'Comment'],
    quietField: 'ID',
    row: item => ({
      ID: () =>
        truncate
          ? item.Id.replace(/^sha256:/, '')
              .slice(0, 12)
              .replace('<missing>', '<missing>')
          : item.Id,
      CreatedAt: () => new Date(item.Created * 1000).toISOString().replace('.000Z', 'Z'),
      CreatedSince: () =>
        !human
          ? new Date(item.Created * 1000).toISOString().replace('.000Z', 'Z')
          : item.Created <= 0
            ? 'N/A'
            : `${humanDuration(Date.now() - item.Created * 1000)} ago`,
      CreatedBy: () => {
        const by = item.CreatedBy.replaceAll('\t', ' ');
        return truncate ? ellipsis(by, 45) : by;
      },
      Size: () => (human ? humanSize(item.Size, 3) : String(item.Size)),
      Comment: item.Comment,
    }),
  };
}
