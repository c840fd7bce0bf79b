/**
 * The texts of a container's /etc/hosts, /etc/resolv.conf and /etc/hostname, byte for byte as Docker writes them
 * (libnetwork/etchosts, libnetwork/resolvconf).
 */
export interface HostsEntry {
  address: string;
  /** One or more names, separated by spaces. */
  names: string;
}

/** @param own the container's own addresses, which come last: Docker appends them when an interface comes up. */
export function hostsText(extra: readonly HostsEntry[], own: readonly HostsEntry[]): string {
  return [...defaultHosts, ...extra, ...own].map(({ address, names }) => `${address}\t${names}\n`).join('');
}

/** The names of the container itself: `web.example.org web`, whether split between the two or all in the first. */
export function ownNames(hostname: string, domainname: string): string {
  const full = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const dot = full.indexOf('.');
  return dot === -1 ? full : `${full} ${full.slice(0, dot)}`;
}

export function hostnameText(hostname: string): string {
  return `${hostname}\n`;
}

/** What a resolv.conf says. */
export interface ResolvConf {
  nameservers: string[];
  search: string[];
  options: string[];
}

export function parseResolvConf(text: string): ResolvConf {
  const parsed: ResolvConf = { nameservers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) parsed.nameservers.push(words[0]);
    // The last line of these two wins (resolv.conf(5)); `domain` is the old word for one search domain.
    if (keyword === 'search' || keyword === 'domain') parsed.search = words;
    if (keyword === 'options') parsed.options = words;
  }
  return parsed;
}

function resolvConfText({ nameservers, search, options }: ResolvConf): string {
  const lines: string[] = [];
  // A lone dot means: no search list at all.
  if (search.length > 0 && search.join(' ') !== '.') lines.push(`search ${search.join(' ')}`);
  lines.push(...nameservers.map(server => `nameserver ${server}`));
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map(line => `${line}\n`).join('');
}

/**
 * For a container that asks the host's name servers itself. When nothing is overridden the host's file is kept as
 * it is, comments and all, but for servers on the host's loopback, which the container cannot reach.
 */
export function hostResolvConfText(
  hostText: string,
  overrides: { dns: readonly string[]; search: readonly string[]; options: readonly string[] },
  enableIPv6: boolean,
): string {
  const host = parseResolvConf(hostText);
  const usable = host.nameservers.filter(
    server => !isLoopbackText(server) && (enableIPv6 || !server.includes(':')),
  );
  const overridden = overrides.dns.length + overrides.search.length + overrides.options.length > 0;
  if (!overridden && usable.length === host.nameservers.length && usable.length > 0) return hostText;
  const fallback = enableIPv6 ? [...fallbackServers, ...fallbackServers6] : fallbackServers;
  const own = usable.length > 0 ? usable : fallback;
  return resolvConfText({
    nameservers: overrides.dns.length > 0 ? [...overrides.dns] : own,
    search: overrides.search.length > 0 ? [...overrides.search] : host.search,
    options: overrides.options.length > 0 ? [...overrides.options] : host.options,
  });
}

/** For a container with the embedded name server: it alone is asked, and single names go to it as they are. */
export function embeddedResolvConfText(
  hostText: string,
  overrides: { search: readonly string[]; options: readonly string[] },
): string {
  const host = parseResolvConf(hostText);
  const options = overrides.options.length > 0 ? [...overrides.options] : host.options;
  if (!options.some(option => option.startsWith('ndots:'))) options.push('ndots:0');
  return resolvConfText({
    nameservers: [embeddedServer],
    search: overrides.search.length > 0 ? [...overrides.search] : host.search,
    options,
  });
}

/** Where the embedded name server answers inside of every container that has one. */
export const embeddedServer = '127.0.0.11';

/** What Docker falls back to when the host has no name server a container could reach. */
export const fallbackServers = ['8.8.8.8', '8.8.4.4'];
const fallbackServers6 = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

const defaultHosts: readonly HostsEntry[] = [
  { address: '127.0.0.1', names: 'localhost' },
  { address: '::1', names: 'localhost ip6-localhost ip6-loopback' },
  { address: 'fe00::0', names: 'ip6-localnet' },
  { address: 'ff00::0', names: 'ip6-mcastprefix' },
  { address: 'ff02::1', names: 'ip6-allnodes' },
  { address: 'ff02::2', names: 'ip6-allrouters' },
];

function isLoopbackText(server: string): boolean {
  return server.startsWith('127.') || server === '::1';
}
