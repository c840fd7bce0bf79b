import type { BlockList } from 'node:net';
import { EngineError } from '../stdx/errors.ts';
import { contains, isLoopbackHost, parseNetwork, withoutBrackets } from './addresses.ts';

/** One way to reach a registry. */
export interface Endpoint {
  /** Tried in order until one answers. More than one only where plain HTTP is allowed. */
  urls: URL[];
  skipTlsVerify: boolean;
  /** Where certificates for it are looked for; undefined: nowhere. */
  certificateHost: string | undefined;
  /** A mirror is never shown the credentials of the registry it mirrors. */
  mirror: boolean;
}

export interface EndpointOptions {
  mirrors: URL[];
  insecureHosts: Set<string>;
  insecureNetworks: BlockList[];
}

/** Docker Hub's images live at another name than its users type. */
const hubHost = 'registry-1.docker.io';

/** Where an image can be had, best first. Mirrors are for reading, and for Docker Hub, as in Docker. */
export function planEndpoints(
  registry: string,
  access: 'pull' | 'push',
  options: EndpointOptions,
): Endpoint[] {
  const origin = originOf(registry, options);
  if (registry !== 'docker.io' || access === 'push') return [origin];
  const mirrors = options.mirrors.map(url => ({
    urls: [url],
    skipTlsVerify: isInsecure(url.host, options),
    certificateHost: url.host,
    mirror: true,
  }));
  return [...mirrors, origin];
}

/**
 * @param mirrors base URLs, as `registry-mirrors` in daemon.json.
 * @param insecure hosts and networks, as `insecure-registries`.
 * @throws EngineError `invalid` in dockerd's words.
 */
export function parseEndpointOptions(mirrors: string[], insecure: string[]): EndpointOptions {
  const options: EndpointOptions = { mirrors: [], insecureHosts: new Set(), insecureNetworks: [] };
  for (const text of mirrors) options.mirrors.push(parseMirror(text));
  for (const entry of insecure) {
    const bare = entry.replace(/^https?:\/\//i, '');
    const network = parseNetwork(bare);
    if (network !== undefined) options.insecureNetworks.push(network);
    else options.insecureHosts.add(parseHost(bare));
  }
  return options;
}

function originOf(registry: string, options: EndpointOptions): Endpoint {
  const host = registry === 'docker.io' ? hubHost : registry;
  const insecure = isInsecure(registry, options);
  const urls = [new URL(`https://${host}/`)];
  if (insecure) urls.push(new URL(`http://${host}/`));
  // Docker Hub is known to everybody, and what is not checked needs no authority.
  const certificateHost = insecure || registry === 'docker.io' ? undefined : registry;
  return { urls, skipTlsVerify: insecure, certificateHost, mirror: false };
}

/** Loopback, and what the administrator has named; nothing else is ever spoken to without TLS. */
function isInsecure(host: string, options: EndpointOptions): boolean {
  if (options.insecureHosts.has(host)) return true;
  if (!URL.canParse(`http://${host}`)) return false;
  const hostname = withoutBrackets(new URL(`http://${host}`).hostname);
  return isLoopbackHost(hostname) || options.insecureNetworks.some(network => contains(network, hostname));
}

function parseMirror(text: string): URL {
  const problem = (reason: string) => new EngineError('invalid', `invalid mirror: ${reason}`);
  if (!URL.canParse(text)) throw problem(`"${text}" is not a valid URI`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw problem(`unsupported scheme "${url.protocol.slice(0, -1)}" in "${text}"`);
  }
  if (url.search !== '' || url.hash !== '' || (url.pathname !== '/' && url.pathname !== '')) {
    throw problem(`path, query, or fragment at end of the URI "${text}"`);
  }
  if (url.username !== '' || url.password !== '')
    throw problem(`username/password not allowed in URI "${text}"`);
  return url;
}

function parseHost(text: string): string {
  if (text.includes('/') || !URL.canParse(`http://${text}`) || text === '') {
    throw new EngineError('invalid', `insecure registry ${text} is not valid: invalid host "${text}"`);
  }
  return text;
}
