import { EngineError, within } from '../stdx/errors.ts';
import { type RegistryCertificates, withoutIdentities } from './certificates.ts';
import type { Challenge } from './challenge.ts';
import { registryError } from './errors.ts';
import { type HttpResponse, readBody, type Transport } from './transport.ts';

/** What a client sends along to be known to a registry (Docker's X-Registry-Auth). */
export interface Credentials {
  username?: string;
  password?: string;
  /** A refresh token, exchanged for access tokens. */
  identityToken?: string;
  /** Sent as it is: `Authorization: Bearer …`. */
  registryToken?: string;
  serverAddress?: string;
}

/** As dockerd calls itself to token servers; some know no other (docker/auth, defaultClientID). */
const clientId = 'docker';

/** A token without `expires_in` lives this long (distribution spec/auth/token.md). */
const defaultLifeS = 60;

/** Asked for anew this long before it ends, so that it does not end on the way. */
const marginMs = 5_000;

const tokenAnswerLimitBytes = 1 << 20;

/** Answers one registry's challenges: knows the credentials, fetches tokens and keeps them while they live. */
export class Authorizer {
  readonly #transport: Transport;
  readonly #registry: URL;
  readonly #challenges: readonly Challenge[];
  readonly #credentials: Credentials | undefined;
  readonly #skipTlsVerify: boolean;
  readonly #certificates: RegistryCertificates | undefined;
  readonly #tokens = new Map<string, Promise<{ text: string; expiresMs: number }>>();

  constructor(options: {
    transport: Transport;
    /** Base URL of the registry that gave the challenges. */
    registry: URL;
    challenges: readonly Challenge[];
    credentials?: Credentials;
    skipTlsVerify?: boolean;
    certificates?: RegistryCertificates;
  }) {
    this.#transport = options.transport;
    this.#registry = options.registry;
    this.#challenges = options.challenges;
    this.#credentials = options.credentials;
    this.#skipTlsVerify = options.skipTlsVerify === true;
    this.#certificates = options.certificates;
  }

  /**
   * The Authorization header for a request, undefined when the registry wants none.
   * @param scopes `repository:library/busybox:pull`
   * @throws EngineError `unauthorized` when it wants credentials and there are none.
   */
  async header(scopes: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    if (this.#challenges.length === 0) return undefined;
    if (this.#credentials?.registryToken) return `Bearer ${this.#credentials.registryToken}`;
    const bearer = this.#challenges.find(challenge => challenge.scheme === 'bearer');
    if (bearer !== undefined) return `Bearer ${await this.#token(bearer, scopes, signal)}`;
    if (this.#challenges.some(challenge => challenge.scheme === 'basic')) {
      const basic = basicHeader(this.#credentials);
      if (basic === undefined) throw new EngineError('unauthorized', 'no basic auth credentials');
      return basic;
    }
    const schemes = this.#challenges.map(challenge => challenge.scheme).join(', ');
    throw new EngineError('notImplemented', `authentication scheme ${schemes} of ${this.#registry.host}`);
  }

  /** Forgets a token the registry did not take. @returns whether asking again may help. */
  forget(scopes: readonly string[]): boolean {
    return this.#tokens.delete(scopes.join(' '));
  }

  /** A token that outlives the password, for `docker login` to keep; '' when the server gives none. */
  async identityToken(signal: AbortSignal): Promise<string> {
    const bearer = this.#challenges.find(challenge => challenge.scheme === 'bearer');
    if (bearer === undefined) return '';
    return (await this.#request(bearer, [], true, signal)).refreshToken;
  }

  async #token(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    const key = scopes.join(' ');
    const kept = await this.#tokens.get(key);
    if (kept !== undefined && kept.expiresMs - marginMs > Date.now()) return kept.text;
    const fresh = this.#request(challenge, scopes, false, signal);
    this.#tokens.set(key, fresh);
    try {
      return (await fresh).text;
    } catch (error) {
      this.#tokens.delete(key);
      throw error;
    }
  }

  /** distribution spec/auth/token.md (GET) and oauth.md (POST, when there is a refresh token). */
  async #request(challenge: Challenge, scopes: readonly string[], offline: boolean, signal: AbortSignal) {
    const realm = this.#realmOf(challenge);
    const query = new URLSearchParams();
    const service = challenge.parameters['service'];
    if (service) query.set('service', service);
    const identityToken = this.#credentials?.identityToken;
    const response = identityToken
      ? await this.#exchange(realm, query, scopes, identityToken, signal)
      : await this.#ask(realm, query, scopes, offline, signal);
    return readToken(response);
  }

  async #exchange(
    realm: URL,
    query: URLSearchParams,
    scopes: readonly string[],
    identityToken: string,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    query.set('grant_type', 'refresh_token');
    query.set('refresh_token', identityToken);
    query.set('client_id', clientId);
    query.set('scope', scopes.join(' '));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(query.toString());
    return this.#transport.send({
      method: 'POST',
      url: realm,
      headers,
      body,
      ...this.#manners(realm, signal),
    });
  }

  async #ask(
    realm: URL,
    query: URLSearchParams,
    scopes: readonly string[],
    offline: boolean,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    for (const scope of scopes) query.append('scope', scope);
    const { username } = this.#credentials ?? {};
    if (username) query.set('account', username);
    if (offline) {
      query.set('offline_token', 'true');
      query.set('client_id', clientId);
    }
    const url = new URL(realm);
    for (const [name, value] of query) url.searchParams.append(name, value);
    const basic = basicHeader(this.#credentials);
    const headers: Record<string, string> = basic === undefined ? {} : { authorization: basic };
    return this.#transport.fetch({ method: 'GET', url, headers, ...this.#manners(realm, signal) });
  }

  /** Same host as the registry: reached like the registry. Any other: certificates are checked, and ours not shown. */
  #manners(realm: URL, signal: AbortSignal) {
    const same = realm.hostname === this.#registry.hostname;
    return {
      signal,
      foreign: !same,
      skipTlsVerify: same && this.#skipTlsVerify,
      certificates: same ? this.#certificates : withoutIdentities(this.#certificates),
    };
  }

  /** The realm is the registry's word: it may not lead to where credentials would be read or stolen. */
  #realmOf(challenge: Challenge): URL {
    const text = challenge.parameters['realm'] ?? '';
    if (text === '') throw new EngineError('unavailable', 'no realm specified for token auth challenge');
    if (!URL.canParse(text))
      throw new EngineError('unavailable', `invalid token auth challenge realm: ${text}`);
    const realm = new URL(text);
    const plain = realm.protocol === 'http:';
    if (!plain && realm.protocol !== 'https:') {
      throw new EngineError('unavailable', `invalid token auth challenge realm: ${text}`);
    }
    if (plain && this.#registry.protocol === 'https:') {
      throw new EngineError('unavailable', `refusing token auth challenge realm without TLS: ${text}`);
    }
    return realm;
  }
}

async function readToken(response: HttpResponse) {
  const body = (await readBody(response, tokenAnswerLimitBytes)).toString();
  if (response.status !== 200) throw registryError(response, body);
  let answer: {
    token?: string;
    access_token?: string;
    expires_in?: number;
    issued_at?: string;
    refresh_token?: string;
  };
  try {
    answer = JSON.parse(body);
  } catch (error) {
    throw within('unable to decode token response', error);
  }
  const text = answer.access_token || answer.token;
  if (typeof text !== 'string' || text === '') {
    throw new EngineError('unavailable', 'authorization server did not include a token in the response');
  }
  const lifeS =
    typeof answer.expires_in === 'number' ? Math.max(answer.expires_in, defaultLifeS) : defaultLifeS;
  return { text, expiresMs: Date.now() + lifeS * 1000, refreshToken: answer.refresh_token ?? '' };
}

function basicHeader(credentials: Credentials | undefined): string | undefined {
  const { username, password } = credentials ?? {};
  if (!username || !password) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
