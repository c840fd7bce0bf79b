import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { EngineError, messageOf } from '../stdx/errors.ts';

export interface FetchOptions {
  /** URL of the proxy that leads to a URL; undefined: it is reached without. */
  proxyFor(url: URL): string | undefined;
  signal: AbortSignal;
}

export function isHttp(url: string): boolean {
  return /^https?:\/\//.test(url);
}

const maxRedirects = 10;

/**
 * A GET, redirects followed. fetch() would refuse some ports, and URLs with a password in them.
 * @throws EngineError `invalid`, `notFound` or `unavailable` by the answer's status, `unavailable` without an answer
 */
export async function fetchUrl(url: string, options: FetchOptions): Promise<IncomingMessage> {
  if (!URL.canParse(url)) throw new EngineError('invalid', `invalid URL: ${url}`);
  let at = new URL(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await get(at, options).catch(error => {
      options.signal.throwIfAborted();
      const reason = error instanceof AggregateError ? error.errors[0] : error;
      throw new EngineError('unavailable', `Get "${url}": ${messageOf(reason)}`, { cause: error });
    });
    const { statusCode = 0, statusMessage = '', headers } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    response.resume();
    if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) {
      const message = `failed to GET ${url} with status ${`${statusCode} ${statusMessage}`.trim()}`;
      throw new EngineError(statusCode >= 500 ? 'unavailable' : 'notFound', message);
    }
    const next = URL.canParse(headers.location, at) ? new URL(headers.location, at) : undefined;
    if (next === undefined || !isHttp(next.href))
      throw new EngineError('unavailable', `Get "${url}": it leads to ${headers.location}`);
    at = next;
  }
  throw new EngineError('unavailable', `Get "${url}": stopped after ${maxRedirects} redirects`);
}

/** Longest silence of a server. */
const silenceMs = 300_000;

function get(url: URL, { proxyFor, signal }: FetchOptions): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const secure = url.protocol === 'https:';
  const proxy = proxyFor(url);
  // That this proxy is the one for this address is decided; the agent has nothing to except.
  const proxyEnv = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
  const agent = proxy === undefined ? undefined : new (secure ? HttpsAgent : HttpAgent)({ proxyEnv });
  const start = secure ? httpsRequest : httpRequest;
  const asked = start(url, { signal, agent, headers: { 'user-agent': 'gantry' } });
  asked.on('response', resolve);
  asked.on('error', reject);
  asked.setTimeout(silenceMs, () => asked.destroy(new Error('i/o timeout')));
  asked.end();
  return promise;
}
