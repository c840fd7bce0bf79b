import type { Network } from '../../../api/networks.ts';
import { encodeFilters, perform } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { type Command, noArguments } from '../../command.ts';
import { parseFilters } from '../../filters.ts';
import { joinLabels, type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { naturalOrder } from '../../output/natural-order.ts';
import { goTimestamp } from '../../output/units.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List networks',
  aliases: 'network ls, network list',
  flags: `
  -f, --filter filter  Provide filter values (e.g. "driver=bridge")
${listFormatFlag}
      --no-trunc  Do not truncate the output
  -q, --quiet  Only display network IDs
`,
  takes: noArguments,
  async run({ session, flags }) {
    const query = { filters: encodeFilters(parseFilters(flags.list('filter'))) };
    const networks = await perform(await session.client(), networkOperations.list, { query });
    networks.sort((left, right) => naturalOrder(left.Name, right.Name));
    const format =
      flags.string('format') || (flags.on('quiet') ? '' : (session.config().networksFormat ?? ''));
    printList(session.out, layout(!flags.on('no-trunc')), networks, { format, quiet: flags.on('quiet') });
  },
};

function layout(truncate: boolean): ListLayout<Network> {
  return {
    typeName: '*network.networkContext',
    headers: {
      ID: 'NETWORK ID',
      Name: 'NAME',
      Driver: 'DRIVER',
      Scope: 'SCOPE',
      IPv4: 'IPV4',
      IPv6: 'IPV6',
      Internal: 'INTERNAL',
      Labels: 'LABELS',
      CreatedAt: 'CREATED AT',
    },
    columns: ['ID', 'Name', 'Driver', 'Scope'],
    quietField: 'ID',
    raw: [
      ['network_id', 'ID'],
      ['name', 'Name'],
      ['driver', 'Driver'],
      ['scope', 'Scope'],
    ],
    row: network => ({
      ID: () => (truncate ? network.Id.slice(0, 12) : network.Id),
      Name: network.Name,
      Driver: network.Driver,
      Scope: network.Scope,
      IPv4: String(network.EnableIPv4 ?? false),
      IPv6: String(network.EnableIPv6),
      Internal: String(network.Internal),
      Labels: () => joinLabels(network.Labels),
      Label: (name: string) => network.Labels?.[name] ?? '',
      CreatedAt: () => goTimestamp(network.Created),
    }),
  };
}
