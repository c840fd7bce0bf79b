import { type Command, noArguments } from '../../command.ts';

export const command: Command = {
  usage: '',
  short: 'Print the name of the current context',
  flags: '',
  takes: noArguments,
  async run({ session }) {
    session.out.line(session.contextName());
  },
};
