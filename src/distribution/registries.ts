import { EngineError } from '../stdx/errors.ts';
import type { Credentials } from './auth.ts';
import { certificateDirectories, type RegistryCertificates, readCertificates } from './certificates.ts';
import { type EndpointOptions, parseEndpointOptions, planEndpoints } from './endpoints.ts';
import type { Proxies } from './proxies.ts';
import type { Reference } from './reference.ts';
import { Repository } from './repository.ts';
import { hubSearchHost, planSearch, type SearchResult, searchRegistry } from './search.ts';
import { Transport } from './transport.ts';

export interface RegistriesOptions {
  /** Base URLs tried before Docker Hub itself, for its images only. */
  mirrors?: string[];
  /** Hosts (`reg.example:5000`) and networks (`10.0.0.0/8`) where TLS is not asked for or not checked. */
  insecureRegistries?: string[];
  userAgent?: string;
  proxies?: Proxies;
  certificateDirectories?: readonly string[];
}

/** Addresses by which Docker's client names Docker Hub in its config.json. */
const hubAddresses = new Set(['', 'docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** All registries this daemon talks to: how each is reached, and the connections to them. */
export class Registries {
  #endpoints: EndpointOptions;
  readonly #transport: Transport;
  readonly #certificateDirectories: readonly string[];

  /** @throws EngineError `invalid` for bad mirrors and insecure registries. */
  constructor(options: RegistriesOptions = {}) {
    this.#endpoints = parseEndpointOptions(options.mirrors ?? [], options.insecureRegistries ?? []);
    this.#transport = new Transport({ userAgent: options.userAgent ?? 'gantry', proxies: options.proxies });
    this.#certificateDirectories = options.certificateDirectories ?? certificateDirectories;
  }

  /**
   * Mirrors and insecure registries from now on; what is on its way goes on.
   * @throws EngineError `invalid` for bad ones; then nothing has changed
   */
  configure({ mirrors = [], insecureRegistries = [] }: RegistriesOptions): void {
    this.#endpoints = parseEndpointOptions(mirrors, insecureRegistries);
  }

  /**
   * The places where a repository can be had, best first: mirrors, then the registry itself. At least one.
   * @throws EngineError `invalid` for halves of client certificates
   */
  repositories(
    reference: Reference,
    access: 'pull' | 'push',
    credentials: Credentials | undefined,
  ): Repository[] {
    return planEndpoints(reference.registry, access, this.#endpoints).map(
      endpoint =>
        new Repository({
          transport: this.#transport,
          endpoint,
          certificates: this.#certificatesFor(endpoint.certificateHost),
          registry: reference.registry,
          name: reference.repository,
          access,
          ...(credentials === undefined ? {} : { credentials }),
        }),
    );
  }

  /** @throws EngineError `unauthorized` when the registry does not take the credentials. */
  async login(
    credentials: Credentials,
    signal = AbortSignal.timeout(30_000),
  ): Promise<{ status: string; identityToken: string }> {
    const registry = hostOf(credentials.serverAddress ?? '');
    const [repository] = this.repositories({ registry, repository: '' }, 'push', credentials);
    try {
      return { status: 'Login Succeeded', identityToken: await repository!.login(signal) };
    } catch (error) {
      if (!(error instanceof EngineError) || error.kind !== 'unauthorized') throw error;
      const said = `login attempt to ${registryUrl(repository!)} failed with status: 401 Unauthorized`;
      throw new EngineError('unauthorized', said, { cause: error });
    }
  }

  /**
   * Repositories that fit a term, in the registry it begins with, or in Docker Hub.
   * @throws EngineError `invalid` for no term, `unavailable` where nobody answers searches
   */
  async search(
    text: string,
    { limit, credentials }: { limit: number; credentials: Credentials | undefined },
    signal: AbortSignal,
  ): Promise<SearchResult[]> {
    const { registry, term } = planSearch(text);
    const [origin] = planEndpoints(registry, 'push', this.#endpoints);
    const endpoint =
      registry === 'docker.io' ? { ...origin!, urls: [new URL(`https://${hubSearchHost}/`)] } : origin!;
    const { skipTlsVerify, certificateHost } = endpoint;
    const certificates = this.#certificatesFor(certificateHost);
    return searchRegistry(
      this.#transport,
      endpoint,
      { skipTlsVerify, ...(certificates === undefined ? {} : { certificates }) },
      { term, limit, ...(credentials === undefined ? {} : { credentials }) },
      signal,
    );
  }

  close(): void {
    this.#transport.close();
  }

  #certificatesFor(host: string | undefined): RegistryCertificates | undefined {
    return host === undefined ? undefined : readCertificates(this.#certificateDirectories, host);
  }
}

/** `https://index.docker.io/v1/` -> `docker.io`, `http://localhost:5000/v2/` -> `localhost:5000`. */
function hostOf(serverAddress: string): string {
  const host = serverAddress.replace(/^https?:\/\//i, '').replace(/\/.*$/s, '');
  return hubAddresses.has(host) ? 'docker.io' : host;
}

function registryUrl(repository: Repository): string {
  return String(new URL('v2/', repository.endpoint.urls.at(-1)));
}
