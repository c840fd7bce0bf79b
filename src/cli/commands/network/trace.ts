import type { TraceResponse, TraceStep } from '../../../api/trace.ts';
import { perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { toJson } from '../../../stdx/template/json.ts';
import { type Command, exactly } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { ofGantryd } from '../../of-gantryd.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER NAME|ADDRESS[:PORT]',
  short: 'Walk the way from a container to an address, and say where it breaks',
  flags: `
      --format string  Format of the answer ("text", "json") (default "text")
      --udp  The port is one of UDP
`,
  takes: exactly(2),
  async run({ session, flags, args: [id = '', to = ''] }) {
    const format = flags.string('format');
    if (format !== 'text' && format !== 'json') {
      throw new UsageError(
        `invalid argument ${JSON.stringify(format)} for "--format" flag: want text or json`,
      );
    }
    const client = await session.client();
    const query = { to, protocol: flags.on('udp') ? 'udp' : undefined };
    const answer = await ofGantryd('tracing', () =>
      perform(client, containerOperations.trace, { path: { id }, query }),
    );
    session.out.write(format === 'json' ? `${toJson(answer)}\n` : showTrace(answer));
    return answer.Steps.every(({ Passes }) => Passes) ? 0 : 1;
  },
};

export function showTrace({ From, To, Steps }: TraceResponse): string {
  return `${From} -> ${To}\n\n${Steps.map(showStep).join('')}`;
}

/** `BREAKS  listener    db listens on 127.0.0.1 only ...`, with what was seen and what mends it below. */
function showStep({ Check, Passes, Said, Evidence, Mend }: TraceStep): string {
  const indent = ' '.repeat(20);
  const lines = [
    `${Passes ? 'ok    ' : 'BREAKS'}  ${Check.padEnd(12)}${Said}`,
    ...Evidence.map(line => `${indent}${line}`),
    ...Mend.map((line, at) => `${indent.slice(2)}${at === 0 ? '> ' : '  '}${line}`),
  ];
  return `${lines.join('\n')}\n`;
}
