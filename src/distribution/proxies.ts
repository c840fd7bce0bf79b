import { EngineError } from '../stdx/errors.ts';
import { contains, isLoopbackHost, parseNetwork, withoutBrackets } from './addresses.ts';

/** Proxies for requests to registries, and of builds; '' where there is none. */
export interface Proxies {
  /** URL of the proxy for plain HTTP. */
  http: string;
  /** URL of the proxy for HTTPS, which is asked for a tunnel. */
  https: string;
  /** Who is reached without: comma-separated names, addresses and networks, or `*`. */
  except: string;
}

export const noProxies: Proxies = { http: '', https: '', except: '' };

/**
 * The proxy a request goes through, by the rules of Go's net/http, which administrators know from dockerd: loopback
 * never has one, `example.com` means its subdomains as well, `.example.com` and `*.example.com` those alone, a port
 * limits an entry to it.
 */
export function proxyFor(url: URL, proxies: Proxies): string | undefined {
  const proxy = url.protocol === 'https:' ? proxies.https : proxies.http;
  const host = withoutBrackets(url.hostname).toLowerCase();
  if (proxy === '' || isLoopbackHost(host)) return undefined;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const entries = proxies.except.split(',').map(entry => entry.trim().toLowerCase());
  return entries.some(entry => isExcepted(entry, host, port)) ? undefined : proxy;
}

/** As programs look for them; which spelling counts differs from one to the next. */
export function proxyEnv({ http, https, except }: Proxies): Record<string, string> {
  const variables = { http_proxy: http, https_proxy: https, no_proxy: except };
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([, value]) => value !== '')
      .flatMap(([name, value]) => [name, name.toUpperCase()].map(spelling => [spelling, value])),
  );
}

/** A proxy without a scheme is spoken to in plain HTTP. @throws EngineError `invalid` */
export function parseProxy(text: string): string {
  if (text === '') return '';
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full))
    throw new EngineError('invalid', `invalid proxy "${withoutSecrets(text)}": not a URL`);
  const { protocol } = new URL(full);
  if (protocol === 'http:' || protocol === 'https:') return full;
  throw new EngineError(
    'invalid',
    `invalid proxy "${withoutSecrets(text)}": scheme ${protocol.slice(0, -1)} is not supported, use http or https`,
  );
}

/** For people: user and password of a URL are not for everybody. */
export function withoutSecrets(text: string): string {
  return text.replace(/^([a-z0-9+.-]+:\/\/)?[^/@]*@/i, '$1xxxxx:xxxxx@');
}

function isExcepted(entry: string, host: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  const network = parseNetwork(entry);
  if (network !== undefined) return contains(network, host);
  const [, name = entry, onlyPort] =
    /^(.*?)(?::(\d+))?$/.exec(isBareIpv6(entry) ? `[${entry}]` : entry) ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  const pattern = withoutBrackets(name).replace(/^\*\./, '.');
  if (pattern === '') return false;
  return pattern.startsWith('.') ? host.endsWith(pattern) : host === pattern || host.endsWith(`.${pattern}`);
}

function isBareIpv6(entry: string): boolean {
  return !entry.startsWith('[') && entry.split(':').length > 2;
}
