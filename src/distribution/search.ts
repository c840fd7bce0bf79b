import { EngineError, messageOf } from '../stdx/errors.ts';
import type { Credentials } from './auth.ts';
import type { Endpoint } from './endpoints.ts';
import { type HttpRequest, readBody, type Transport } from './transport.ts';

/** One repository a registry has found. */
export interface SearchResult {
  name: string;
  description: string;
  starCount: number;
  isOfficial: boolean;
  isAutomated: boolean;
}

export interface SearchQuery {
  /** Without the registry. */
  term: string;
  limit: number;
  credentials?: Credentials;
}

const answerLimitBytes = 8 << 20;

/** Docker Hub answers searches under the name its users know. */
export const hubSearchHost = 'index.docker.io';

/**
 * What is searched, and where: `reg.example:5000/term` in that registry, everything else in Docker Hub.
 * @throws EngineError `invalid` in dockerd's words
 */
export function planSearch(text: string): { registry: string; term: string } {
  if (text.includes('://')) {
    throw new EngineError('invalid', 'Invalid repository name (ex: "registry.domain.tld/myrepos")');
  }
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isRegistry = slash !== -1 && (/[.:]/.test(first) || first === 'localhost');
  const registry = isRegistry ? first : 'docker.io';
  const term = isRegistry ? text.slice(slash + 1) : text;
  if (registry !== 'docker.io' && registry !== hubSearchHost) return { registry, term };
  return { registry: 'docker.io', term: term.replace(/^library\//, '') };
}

/**
 * Asks a registry which of its repositories fit a term: `GET /v1/search`, all that is left of the protocol of that
 * time, and the only one there is for it.
 * @throws EngineError in dockerd's words
 */
export async function searchRegistry(
  transport: Transport,
  endpoint: Endpoint,
  tls: Pick<HttpRequest, 'skipTlsVerify' | 'certificates'>,
  query: SearchQuery,
  signal: AbortSignal,
): Promise<SearchResult[]> {
  const base = await reachable(transport, endpoint, tls, signal);
  const url = new URL('v1/search', base);
  // As Go writes a query that was put together by hand.
  url.search = `q=${encodeURIComponent(query.term).replaceAll('%20', '+')}&n=${query.limit}`;
  const headers: Record<string, string> = { 'x-docker-token': 'true', ...basicHeader(query.credentials) };
  const response = await transport.fetch({ method: 'GET', url, headers, signal, ...tls });
  const body = await readBody(response, answerLimitBytes);
  if (response.status !== 200) {
    throw new EngineError('unavailable', `Unexpected status code ${response.status}`);
  }
  return resultsOf(body.toString());
}

/** The first address that answers at all; where plain HTTP is allowed there are two. */
async function reachable(
  transport: Transport,
  { urls }: Endpoint,
  tls: Pick<HttpRequest, 'skipTlsVerify' | 'certificates'>,
  signal: AbortSignal,
): Promise<URL> {
  // Docker Hub is not asked whether it is there.
  if (urls.length === 1 && urls[0]!.hostname === hubSearchHost) return urls[0]!;
  const complaints: string[] = [];
  for (const base of urls) {
    try {
      const response = await transport.fetch({
        method: 'GET',
        url: new URL('v1/_ping', base),
        signal,
        ...tls,
      });
      response.body.resume();
      return base;
    } catch (error) {
      signal.throwIfAborted();
      complaints.push(`${base.protocol.slice(0, -1).toUpperCase()} attempt: ${messageOf(error)}`);
    }
  }
  const shown = new URL('v1/', urls.at(-1));
  throw new EngineError('unavailable', `invalid registry endpoint "${shown}". ${complaints.join('. ')}`);
}

function resultsOf(text: string): SearchResult[] {
  const found = parse(text)?.results;
  if (!Array.isArray(found)) return [];
  return found.map(entry => {
    const { name, description, star_count, is_official, is_automated } = (entry ?? {}) as Record<
      string,
      unknown
    >;
    return {
      name: typeof name === 'string' ? name : '',
      description: typeof description === 'string' ? description : '',
      starCount: typeof star_count === 'number' ? star_count : 0,
      isOfficial: is_official === true,
      isAutomated: is_automated === true,
    };
  });
}

function parse(text: string): { results?: unknown } | null {
  try {
    return JSON.parse(text) as { results?: unknown } | null;
  } catch (error) {
    const [first = ''] = text.trimStart();
    const reason =
      first === ''
        ? 'unexpected end of JSON input'
        : `invalid character '${first}' looking for beginning of value`;
    throw new EngineError('unavailable', `error decoding registry search results: ${reason}`, {
      cause: error,
    });
  }
}

function basicHeader(credentials: Credentials | undefined): Record<string, string> {
  const { username, password } = credentials ?? {};
  if (!username || !password) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}
