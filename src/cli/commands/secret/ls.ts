import type { Secret } from '../../../api/secrets.ts';
import { encodeFilters, perform } from '../../../client/operation.ts';
import { secretOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { type Command, noArguments } from '../../command.ts';
import { parseFilters } from '../../filters.ts';
import { joinLabels, type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { naturalOrder } from '../../output/natural-order.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List secrets',
  aliases: 'secret ls, secret list',
  flags: `
  -f, --filter filter  Filter output based on conditions provided
${listFormatFlag}
  -q, --quiet  Only display IDs
`,
  takes: noArguments,
  async run({ session, flags }) {
    const query = { filters: encodeFilters(parseFilters(flags.list('filter'))) };
    const secrets = await perform(await session.client(), secretOperations.list, { query });
    secrets.sort((left, right) => naturalOrder(left.Spec.Name, right.Spec.Name));
    const format = flags.string('format') || (flags.on('quiet') ? '' : (session.config().secretFormat ?? ''));
    printList(session.out, secretLayout, secrets, { format, quiet: flags.on('quiet') });
  },
};

const secretLayout: ListLayout<Secret> = {
  typeName: '*secret.secretContext',
  headers: {
    ID: 'ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    CreatedAt: 'CREATED',
    UpdatedAt: 'UPDATED',
    Labels: 'LABELS',
  },
  columns: ['ID', 'Name', 'Driver', 'CreatedAt', 'UpdatedAt'],
  quietField: 'ID',
  row: secret => ({
    ID: secret.ID,
    Name: secret.Spec.Name,
    Driver: '',
    CreatedAt: () => ago(secret.CreatedAt),
    UpdatedAt: () => ago(secret.UpdatedAt),
    Labels: () => joinLabels(secret.Spec.Labels),
    Label: (name: string) => secret.Spec.Labels[name] ?? '',
  }),
};

function ago(time: string): string {
  return `${humanDuration(Date.now() - Date.parse(time))} ago`;
}
