import type { ImageSearchItem } from '../../api/images.ts';
import { encodeFilters, perform } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { type Command, exactly } from '../command.ts';
import { parseFilters } from '../filters.ts';
import { type ListLayout, printList } from '../output/list.ts';
import { ellipsis } from '../output/table.ts';

const searchFormatFlag = '      --format string   Pretty-print search using a Go template';

export const command: Command = {
  usage: '[OPTIONS] TERM',
  short: 'Search a registry for images',
  flags: `
  -f, --filter filter  Filter output based on conditions provided
${searchFormatFlag}
      --limit int  Max number of search results
      --no-trunc  Don't truncate output
`,
  takes: exactly(1),
  async run({ session, flags, args: [term = ''] }) {
    const query = {
      term,
      limit: flags.given('limit'),
      filters: encodeFilters(parseFilters(flags.list('filter'))),
    };
    const found = await perform(await session.client(), imageOperations.search, { query });
    printList(session.out, layout(!flags.on('no-trunc')), found, { format: flags.string('format') });
  },
};

function layout(truncate: boolean): ListLayout<ImageSearchItem> {
  return {
    typeName: '*registry.searchContext',
    headers: { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL' },
    columns: ['Name', 'Description', 'StarCount', 'IsOfficial'],
    row: item => ({
      Name: item.name,
      Description: () => {
        const line = item.description.replaceAll('\n', ' ').replaceAll('\r', ' ');
        return truncate ? ellipsis(line, 45) : line;
      },
      StarCount: String(item.star_count),
      IsOfficial: item.is_official ? '[OK]' : '',
    }),
  };
}
