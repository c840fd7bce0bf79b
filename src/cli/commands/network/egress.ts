import type { NetworkEgress } from '../../../api/egress.ts';
import { perform } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { toJson } from '../../../stdx/template/json.ts';
import { type Command, exactly } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { ofGantryd } from '../../of-gantryd.ts';
import { alignColumns } from '../../output/table.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK',
  short: 'Show or change what containers of a network may reach outside',
  flags: `
      --allow strings  Put a name (example.org, *.example.org), an address or a subnet on the list
      --format string  Format of the answer ("text", "json") (default "text")
      --remove strings  Take an entry off the list
      --unlimited  No list any more: everything may be reached
`,
  takes: exactly(1),
  async run({ session, flags, args: [id = ''] }) {
    const format = flags.string('format');
    if (format !== 'text' && format !== 'json') {
      throw new UsageError(
        `invalid argument ${JSON.stringify(format)} for "--format" flag: want text or json`,
      );
    }
    const client = await session.client();
    const change = {
      Allow: flags.list('allow'),
      Remove: flags.list('remove'),
      Unlimited: flags.on('unlimited'),
    };
    const isChange = change.Allow.length + change.Remove.length > 0 || change.Unlimited;
    const answer = await ofGantryd('limiting egress', () =>
      isChange
        ? perform(client, networkOperations.changeEgress, { path: { id }, json: change })
        : perform(client, networkOperations.egress, { path: { id } }),
    );
    session.out.write(format === 'json' ? `${toJson(answer)}\n` : showEgress(answer));
  },
};

function showEgress({ Limited, Allowed, Refused }: NetworkEgress): string {
  const allowed = Limited
    ? `allowed: ${Allowed.join(', ') || 'nothing'}\n`
    : 'allowed: everything (there is no list)\n';
  if (Refused.length === 0) return allowed;
  const rows = Refused.map(({ Container, Destination, Count, Last }) => [
    Container,
    Destination,
    String(Count),
    `${humanDuration(Math.max(0, Date.now() - Date.parse(Last)))} ago`,
  ]);
  return `${allowed}\nrefused in the last day:\n${alignColumns([['CONTAINER', 'DESTINATION', 'TIMES', 'LAST'], ...rows])}`;
}
