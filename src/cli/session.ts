import { Client } from '../client/client.ts';
import { parseEndpoint, type TlsMaterial } from '../client/endpoint.ts';
import { EngineError } from '../stdx/errors.ts';
import { type ConfigFile, loadConfig } from './config/config-file.ts';
import { proxyVariables } from './config/proxies.ts';
import type { FlagValues } from './flags.ts';
import type { Output } from './output/output.ts';
import type { TerminalInput } from './terminal/terminal-input.ts';

export const defaultHost = 'unix:///run/gantry/gantry.sock';

/** What the program was given by whoever started it. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  homeDirectory: string;
  workingDirectory: string;
  out: Output;
  err: Output;
  input: TerminalInput;
  /** The client's own version and commit. */
  build: { version: string; commit: string; builtAt: string };
  /** Program of a second thread that walks large contexts; undefined: there is none. */
  walker?: string | undefined;
}

/** One run of the client: its surroundings, its configuration, and the line to the daemon, opened when needed. */
export class Session {
  readonly env: Surroundings['env'];
  readonly out: Output;
  readonly err: Output;
  readonly input: TerminalInput;
  readonly surroundings: Surroundings;
  /** Things are said, not done: the daemon is only looked at. */
  readonly dryRun: boolean;
  readonly #globals: FlagValues;
  #config: ConfigFile | undefined;
  #client: Promise<Client> | undefined;

  constructor(surroundings: Surroundings, globals: FlagValues, dryRun = false) {
    this.dryRun = dryRun;
    this.surroundings = surroundings;
    this.env = surroundings.env;
    this.out = surroundings.out;
    this.err = surroundings.err;
    this.input = surroundings.input;
    this.#globals = globals;
  }

  get configDirectory(): string {
    const given = this.#globals.given('config') ?? this.env['DOCKER_CONFIG'];
    return given || `${this.surroundings.homeDirectory}/.docker`;
  }

  config(): ConfigFile {
    this.#config ??= loadConfig(this.configDirectory);
    return this.#config;
  }

  /** Requests are told on standard error (`--debug`). */
  get debug(): boolean {
    return this.#globals.on('debug') || /^(debug|trace)$/i.test(this.#globals.string('log-level'));
  }

  client(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  /** Which context is in force; `default` when the host is named directly. */
  contextName(): string {
    const hosts = this.#globals.list('host');
    const asked = this.#globals.string('context');
    if (asked !== '' && hosts.length > 0) {
      throw new EngineError('invalid', 'conflicting options: either specify --host or --context, not both');
    }
    if (asked !== '') return asked;
    if (hosts.length > 0 || this.#hostOfEnvironment() !== undefined) return 'default';
    return this.env['DOCKER_CONTEXT'] || this.config().currentContext || 'default';
  }

  /** The address `default` means. */
  defaultAddress(): string {
    const hosts = this.#globals.list('host');
    if (hosts.length > 1) throw new EngineError('invalid', 'specify only one -H');
    return hosts[0] ?? this.#hostOfEnvironment() ?? defaultHost;
  }

  /** What config.json's `proxies` gives to containers and builds on this daemon, as `NAME=value`. */
  async proxyVariables(): Promise<string[]> {
    if (this.config().proxies === undefined) return [];
    const name = this.contextName();
    const { address } =
      name === 'default' ? await this.#defaultEndpoint() : await this.#contextEndpoint(name);
    return proxyVariables(this.config(), address);
  }

  /** The same run, on the same line to the daemon, saying things elsewhere. */
  saying(outputs: { out?: Output; err?: Output }): Session {
    const other = new Session({ ...this.surroundings, ...outputs }, this.#globals, this.dryRun);
    other.#client = this.client();
    other.#client.catch(() => {});
    return other;
  }

  /** The same run, but it changes nothing on the daemon. */
  trying(): Session {
    return new Session(this.surroundings, this.#globals, true);
  }

  /** The program ends before that: only what goes on in the same process needs its connections closed. */
  close(): void {
    setImmediate(() => void this.#client?.then(client => client.close()));
  }

  async #connect(): Promise<Client> {
    const name = this.contextName();
    const { address, tls } =
      name === 'default' ? await this.#defaultEndpoint() : await this.#contextEndpoint(name);
    return new Client({
      endpoint: parseEndpoint(address, tls),
      apiVersion: this.env['DOCKER_API_VERSION']?.replace(/^v/, '') || undefined,
      headers: this.config().HttpHeaders,
      readOnly: this.dryRun,
      onAnswer: this.debug
        ? (method, path, status) => this.err.line(`DEBUG ${method} ${path}: ${status}`)
        : undefined,
    });
  }

  async #contextEndpoint(name: string): Promise<{ address: string; tls?: TlsMaterial }> {
    const { ContextStore } = await import('./config/context-store.ts');
    const store = new ContextStore(this.configDirectory);
    const address = store.get(name).Endpoints.docker?.Host;
    if (address === undefined) throw new EngineError('invalid', `context "${name}": no docker endpoint`);
    return { address, tls: store.tls(name) };
  }

  async #defaultEndpoint(): Promise<{ address: string; tls?: TlsMaterial }> {
    const address = this.defaultAddress();
    const verify = this.#globals.changed('tlsverify')
      ? this.#globals.on('tlsverify')
      : !!this.env['DOCKER_TLS_VERIFY'];
    const asked = verify || this.#globals.on('tls') || !!this.env['DOCKER_TLS'];
    if (!asked || address.startsWith('unix:')) return { address };
    const { loadTls } = await import('./config/tls-files.ts');
    const folder = this.env['DOCKER_CERT_PATH'] || this.configDirectory;
    const files = {
      ca: this.#globals.given('tlscacert'),
      cert: this.#globals.given('tlscert'),
      key: this.#globals.given('tlskey'),
    };
    return { address, tls: loadTls(folder, files, verify) };
  }

  #hostOfEnvironment(): string | undefined {
    return this.env['GANTRY_HOST'] || this.env['DOCKER_HOST'] || undefined;
  }
}
