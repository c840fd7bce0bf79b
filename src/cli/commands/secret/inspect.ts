import type { Secret } from '../../../api/secrets.ts';
import { perform } from '../../../client/operation.ts';
import { secretOperations } from '../../../client/operations.ts';
import { told } from '../../cli.ts';
import { atLeast, type Command } from '../../command.ts';
import { ExitError } from '../../errors.ts';
import { inspectAll, inspectFormatFlag } from '../../output/inspection.ts';
import { goTimestamp } from '../../output/units.ts';
import type { Session } from '../../session.ts';

export const command: Command = {
  usage: '[OPTIONS] SECRET [SECRET...]',
  short: 'Display detailed information on one or more secrets',
  flags: `
${inspectFormatFlag}
      --pretty  Print the information in a human friendly format
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const fetch = (id: string) => perform(client, secretOperations.inspect, { path: { id } });
    if (flags.on('pretty')) await printPretty(session, args, fetch);
    else {
      await inspectAll(session, args, flags.string('format'), async id => ({
        type: 'swarm.Secret',
        json: await fetch(id),
      }));
    }
  },
};

async function printPretty(
  session: Session,
  names: readonly string[],
  fetch: (id: string) => Promise<Secret>,
): Promise<void> {
  const faults: string[] = [];
  for (const name of names) {
    try {
      session.out.line(pretty(await fetch(name)));
    } catch (error) {
      faults.push(told(error));
    }
  }
  if (faults.length > 0) throw new ExitError(1, faults.join('\n'));
}

function pretty({ ID, Spec, CreatedAt, UpdatedAt }: Secret): string {
  const labels = Object.entries(Spec.Labels)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => (value === '' ? ` - ${name}` : ` - ${name}=${value}`));
  return [
    `ID:              ${ID}`,
    `Name:              ${Spec.Name}`,
    ...(labels.length > 0 ? ['Labels:', ...labels] : []),
    'Driver:            ',
    `Created at:        ${goTimestamp(CreatedAt).toLowerCase()}`,
    `Updated at:        ${goTimestamp(UpdatedAt).toLowerCase()}`,
  ].join('\n');
}
