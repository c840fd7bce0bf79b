import { type Command, upTo } from '../command.ts';
import { Credentials, hubServer } from '../config/credentials.ts';

export const command: Command = {
  usage: '[SERVER]',
  short: 'Log out from a registry.\nIf no server is specified, the default is defined by the daemon.',
  flags: '',
  takes: upTo(1),
  async run({ session, args: [given] }) {
    const server = given === undefined ? hubServer : given.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    session.out.line(`Removing login credentials for ${server}`);
    new Credentials(session.configDirectory).erase(server);
  },
};
