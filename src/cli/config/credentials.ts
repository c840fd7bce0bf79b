import { spawnSync } from 'node:child_process';
import type { RegistryAuth } from '../../api/images.ts';
import { EngineError } from '../../stdx/errors.ts';
import { type ConfigFile, loadConfig, saveConfig } from './config-file.ts';

/** The name config.json keeps Docker Hub's credentials under, for historical reasons. */
export const hubServer = 'https://index.docker.io/v1/';

/** Credentials for registries, in config.json or in the helper programs it names. */
export class Credentials {
  readonly #directory: string;
  readonly #config: ConfigFile;

  constructor(directory: string, config: ConfigFile = loadConfig(directory)) {
    this.#directory = directory;
    this.#config = config;
  }

  /** @param server a registry's host, or hubServer. @returns an empty object when there are none */
  get(server: string): RegistryAuth {
    const helper = this.#helperFor(server);
    if (helper !== undefined) return fromHelper(helper, server);
    const entry = this.#config.auths?.[server] ?? this.#looselyNamed(server);
    if (entry === undefined) return {};
    const { auth, ...rest } = entry;
    return { ...rest, ...decode(auth), serveraddress: server };
  }

  all(): Record<string, RegistryAuth> {
    const servers = new Set([
      ...Object.keys(this.#config.auths ?? {}),
      ...Object.keys(this.#config.credHelpers ?? {}),
    ]);
    if (this.#config.credsStore !== undefined)
      for (const server of listHelper(this.#config.credsStore)) servers.add(server);
    return Object.fromEntries([...servers].map(server => [server, this.get(server)]));
  }

  /** @returns whether they now stand unencrypted in config.json, and did not before */
  store(server: string, auth: RegistryAuth): boolean {
    const helper = this.#helperFor(server);
    const entry: ConfigFile['auths'] = { ...this.#config.auths };
    if (helper === undefined) {
      const plain = Buffer.from(`${auth.username ?? ''}:${auth.password ?? ''}`).toString('base64');
      entry[server] = auth.identitytoken
        ? { auth: Buffer.from(`${auth.username}:`).toString('base64'), identitytoken: auth.identitytoken }
        : { auth: plain };
    } else {
      const secret = auth.identitytoken
        ? { Username: '<token>', Secret: auth.identitytoken }
        : { Username: auth.username, Secret: auth.password };
      callHelper(helper, 'store', `${JSON.stringify({ ServerURL: server, ...secret })}\n`);
      // Docker leaves an empty entry, by which it knows that there is something in the store.
      entry[server] = {};
    }
    const known = this.#config.auths?.[server]?.auth;
    saveConfig(this.#directory, { ...this.#config, auths: entry });
    return helper === undefined && known !== entry[server]?.auth;
  }

  /** @returns false when there were none */
  erase(server: string): boolean {
    const helper = this.#helperFor(server);
    if (helper !== undefined) callHelper(helper, 'erase', server);
    const { [server]: gone, ...auths } = this.#config.auths ?? {};
    if (gone !== undefined) saveConfig(this.#directory, { ...this.#config, auths });
    return gone !== undefined || helper !== undefined;
  }

  #helperFor(server: string): string | undefined {
    return this.#config.credHelpers?.[server] ?? (this.#config.credsStore || undefined);
  }

  /** Old files name servers as URLs: `https://registry.example.com/v1/`. */
  #looselyNamed(server: string) {
    const host = (name: string) => name.replace(/^https?:\/\//, '').split('/')[0];
    return Object.entries(this.#config.auths ?? {}).find(([name]) => host(name) === host(server))?.[1];
  }
}

function decode(auth: string | undefined): { username?: string; password?: string } {
  if (auth === undefined || auth === '') return {};
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon === -1) throw new EngineError('invalid', 'invalid auth configuration file');
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

function fromHelper(helper: string, server: string): RegistryAuth {
  const answer = callHelper(helper, 'get', server, true);
  if (answer === undefined) return {};
  const { Username, Secret } = JSON.parse(answer) as { Username: string; Secret: string };
  if (Username === '<token>') return { identitytoken: Secret, serveraddress: server };
  return { username: Username, password: Secret, serveraddress: server };
}

function listHelper(helper: string): string[] {
  return Object.keys(JSON.parse(callHelper(helper, 'list', '') ?? '{}') as object);
}

/** The protocol of docker-credential-helpers: a verb as argument, the question on stdin, the answer on stdout. */
function callHelper(helper: string, verb: string, input: string, mayMiss = false): string | undefined {
  const program = `docker-credential-${helper}`;
  const result = spawnSync(program, [verb], { input, encoding: 'utf8' });
  if (result.error !== undefined) {
    throw new EngineError(
      'internal',
      `error getting credentials - err: exec: "${program}": ${result.error.message}`,
    );
  }
  if (result.status === 0) return result.stdout;
  const complaint = result.stdout.trim();
  if (mayMiss && complaint.includes('credentials not found')) return undefined;
  throw new EngineError(
    'internal',
    `error ${verb === 'get' ? 'getting' : 'storing'} credentials - err: exit status ${result.status}, out: \`${complaint}\``,
  );
}
