import { type Command, noArguments } from '../../command.ts';
import { UsageError } from '../../errors.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Show the Compose version information',
  flags: `
  -f, --format string  Format the output. Values: [pretty | json]. (Default: pretty)
      --short  Shows only Compose's version number
`,
  takes: noArguments,
  run({ session, flags }) {
    const { version } = session.surroundings.build;
    const format = flags.string('format') || 'pretty';
    if (format !== 'pretty' && format !== 'json')
      throw new UsageError(`unsupported format ${JSON.stringify(format)}`);
    if (flags.on('short')) session.out.line(version);
    else if (format === 'json') session.out.line(JSON.stringify({ version }));
    else session.out.line(`Gantry Compose version ${version}`);
    return Promise.resolve(0);
  },
};
