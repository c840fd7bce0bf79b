import { atLeast, type Command } from '../command.ts';
import { planOrRefuse } from '../container-options/create-request.ts';
import { containerFlags } from '../container-options/flags.ts';
import { createContainer } from '../create-container.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  short: 'Create a new container',
  aliases: 'container create, create',
  flags: `${containerFlags}
      --pull string  Pull image before creating ("always", "missing", "never") (default "missing")
`,
  takes: atLeast(1),
  interspersed: false,
  async run({ session, flags, args }) {
    const { rows, columns } = session.out.isTerminal ? session.out.size() : { rows: 0, columns: 0 };
    const place = {
      env: session.env,
      workingDirectory: session.surroundings.workingDirectory,
      proxies: await session.proxyVariables(),
      consoleSize: [rows, columns] as [number, number],
    };
    const plan = planOrRefuse('create', flags, args, place, false);
    session.out.line(
      await createContainer(session, plan, { pull: flags.string('pull'), quiet: flags.on('quiet') }),
    );
  },
};
