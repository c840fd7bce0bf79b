import { readFileSync } from 'node:fs';
import { parseEndpoint } from '../../../client/endpoint.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { type Command, exactly } from '../../command.ts';
import { ContextStore } from '../../config/context-store.ts';
import { splitKeyValue } from '../../key-values.ts';
import { plainReason } from '../../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTEXT',
  short: 'Create a context',
  flags: `
      --description string  Description of the context
      --docker strings  set the docker endpoint (default [])
      --from string  create context from a named context
`,
  takes: exactly(1),
  async run({ session, flags, args: [Name = ''] }) {
    const store = new ContextStore(session.configDirectory);
    if (Name === 'default') throw new EngineError('invalid', '"default" is a reserved context name');
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/.test(Name)) {
      throw new EngineError(
        'invalid',
        `context name ${JSON.stringify(Name)} is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"`,
      );
    }
    if (store.has(Name)) throw new EngineError('conflict', `context ${JSON.stringify(Name)} already exists`);
    const Description = flags.string('description') || undefined;
    const from = flags.string('from') || (flags.changed('docker') ? '' : session.contextName());
    if (from === '')
      store.save(
        { Name, Metadata: { Description }, ...planEndpoint(flags.list('docker')) },
        readPems(flags.list('docker')),
      );
    else if (from === 'default')
      store.save({
        Name,
        Metadata: { Description },
        Endpoints: { docker: { Host: session.defaultAddress(), SkipTLSVerify: false } },
      });
    else
      store.save(
        { ...store.get(from), Name, Metadata: { ...store.get(from).Metadata, Description } },
        store.tls(from),
      );
    session.out.line(Name);
    session.err.line(`Successfully created context ${JSON.stringify(Name)}`);
  },
};

function planEndpoint(options: readonly string[]) {
  const fields = new Map(options.map(splitKeyValue));
  for (const key of fields.keys()) {
    if (!['host', 'ca', 'cert', 'key', 'skip-tls-verify', 'from'].includes(key)) {
      throw new EngineError(
        'invalid',
        `unable to create docker endpoint config: unrecognized config key: ${key}`,
      );
    }
  }
  const Host = fields.get('host') ?? '';
  if (Host === '')
    throw new EngineError('invalid', 'unable to create docker endpoint config: host is required');
  // Also ssh:// hosts are refused here, not when the context is first used.
  parseEndpoint(Host);
  return { Endpoints: { docker: { Host, SkipTLSVerify: fields.get('skip-tls-verify') === 'true' } } };
}

function readPems(options: readonly string[]) {
  const fields = new Map(options.map(splitKeyValue));
  const read = (kind: string) => {
    const path = fields.get(kind);
    try {
      return path === undefined ? undefined : readFileSync(path, 'utf8');
    } catch (error) {
      throw new EngineError(
        'invalid',
        `unable to create docker endpoint config: open ${path}: ${plainReason(error)}`,
        { cause: error },
      );
    }
  };
  return { ca: read('ca'), cert: read('cert'), key: read('key') };
}
