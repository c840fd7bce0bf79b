import type { WhyFinding, WhyResponse } from '../../api/why.ts';
import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { toJson } from '../../stdx/template/json.ts';
import { type Command, exactly } from '../command.ts';
import { UsageError } from '../errors.ts';
import { ofGantryd } from '../of-gantryd.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  short: 'Say why a container does not work, with evidence and what mends it',
  aliases: 'container why, why',
  flags: `
      --format string  Format of the answer ("text", "json") (default "text")
      --port uint16  A port, of the container or of the host, that should be reachable
      --reach string  Another container that it should reach (CONTAINER[:PORT])
      --resolve string  A name that it should be able to look up
`,
  takes: exactly(1),
  async run({ session, flags, args }) {
    const format = flags.string('format');
    if (format !== 'text' && format !== 'json') {
      throw new UsageError(
        `invalid argument ${JSON.stringify(format)} for "--format" flag: want text or json`,
      );
    }
    const client = await session.client();
    const query = { port: flags.given('port'), reach: flags.given('reach'), resolve: flags.given('resolve') };
    const answer = await ofGantryd('saying why', () =>
      perform(client, containerOperations.why, { path: { id: args[0]! }, query }),
    );
    session.out.write(format === 'json' ? `${toJson(answer)}\n` : showAnswer(answer));
    return answer.Findings.some(({ Severity }) => Severity === 'problem') ? 1 : 0;
  },
};

/** What is wrong first, then what was looked at. */
export function showAnswer({ Name, Status, Findings, Checked }: WhyResponse): string {
  const problems = Findings.filter(({ Severity }) => Severity === 'problem').length;
  const verdict =
    problems === 0 ? 'nothing is wrong' : problems === 1 ? 'one problem' : `${problems} problems`;
  const parts = [`${Name} (${Status}): ${verdict}\n`, ...Findings.map(showFinding)];
  return `${parts.join('\n')}\nlooked at: ${Checked.join(', ')}\n`;
}

function showFinding({ Severity, Title, Evidence, Mend }: WhyFinding): string {
  const lines = [
    `${Severity === 'problem' ? 'PROBLEM' : 'note'}: ${Title}`,
    ...Evidence.map(line => `    ${line}`),
    ...Mend.map((line, at) => `${at === 0 ? '  > ' : '    '}${line}`),
  ];
  return `${lines.join('\n')}\n`;
}
