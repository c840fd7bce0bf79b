import type { RegistryAuth } from '../../api/images.ts';
import { perform } from '../../client/operation.ts';
import { systemOperations } from '../../client/operations.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { type Command, upTo } from '../command.ts';
import { Credentials, hubServer } from '../config/credentials.ts';
import { readLine } from '../confirm.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVER]',
  short: 'Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.',
  flags: `
  -p, --password string  Password or Personal Access Token (PAT)
      --password-stdin  Take the Password or Personal Access Token (PAT) from stdin
  -u, --username string  Username
`,
  takes: upTo(1),
  async run({ session, flags, args: [given] }) {
    const server =
      given === undefined || given === 'docker.io'
        ? hubServer
        : given.replace(/^https?:\/\//, '').replace(/\/$/, '');
    if (flags.on('password-stdin') && flags.changed('password')) {
      throw new EngineError(
        'invalid',
        'conflicting options: cannot specify both --password and --password-stdin',
      );
    }
    if (flags.on('password-stdin') && flags.string('username') === '') {
      throw new EngineError('invalid', 'the --password-stdin option requires --username to be set');
    }
    if (flags.changed('password')) {
      session.err.line('WARNING! Using --password via the CLI is insecure. Use --password-stdin.');
    }
    const credentials = new Credentials(session.configDirectory);
    if (!flags.changed('username') && !flags.changed('password')) {
      if (await loginAgain(session, credentials.get(server), server)) return;
    }
    const username = flags.string('username') || (await ask(session, 'Username: ', false));
    const password = flags.on('password-stdin')
      ? await wholeInput(session)
      : flags.string('password') || (await ask(session, 'Password: ', true));
    const auth = { username, password, serveraddress: server };
    const answer = await perform(await session.client(), systemOperations.auth, { json: auth });
    const plain = credentials.store(server, { ...auth, identitytoken: answer.IdentityToken || undefined });
    if (plain) {
      session.err.line(
        `\nWARNING! Your credentials are stored unencrypted in '${session.configDirectory}/config.json'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n`,
      );
    }
    if (answer.Status !== '') session.out.line(answer.Status);
  },
};

/** Without flags, credentials that are there already are tried first. @returns whether the registry took them */
async function loginAgain(session: Session, known: RegistryAuth, server: string): Promise<boolean> {
  if (!known.username || !known.password) return false;
  session.err.line(`Authenticating with existing credentials... [Username: ${known.username}]\n`);
  session.err.line(
    " Info -> To login with a different account, run 'gantry logout' followed by 'gantry login'\n\n",
  );
  try {
    const json = { username: known.username, password: known.password, serveraddress: server };
    const answer = await perform(await session.client(), systemOperations.auth, { json });
    if (answer.Status !== '') session.out.line(answer.Status);
    return true;
  } catch (error) {
    session.err.line(`Login did not succeed, error: ${messageOf(error)}`);
    return false;
  }
}

async function wholeInput(session: Session): Promise<string> {
  let text = '';
  for await (const chunk of session.input.stream()) text += String(chunk);
  return text.replace(/\r?\n$/, '');
}

async function ask(session: Session, prompt: string, secret: boolean): Promise<string> {
  if (!session.input.isTerminal) {
    throw new EngineError('invalid', 'Error: Cannot perform an interactive login from a non TTY device');
  }
  session.out.write(prompt);
  const answer = secret ? await readSecret(session) : await readLine(session);
  if (secret) session.out.write('\n');
  if (!answer) throw new EngineError('invalid', `${secret ? 'password' : 'username'} is required`);
  return answer;
}

/** Keys one by one, shown to nobody. */
async function readSecret(session: Session): Promise<string> {
  session.input.setRawMode(true);
  try {
    let text = '';
    for await (const chunk of session.input.stream()) {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n') return text;
        if (key === '\x03') throw new EngineError('cancelled', 'interrupted');
        text = key === '\x7f' || key === '\b' ? text.slice(0, -1) : text + key;
      }
    }
    return text;
  } finally {
    session.input.setRawMode(false);
  }
}
