import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import {
  embeddedResolvConfText,
  type HostsEntry,
  hostnameText,
  hostResolvConfText,
  hostsText,
  ownNames,
  parseResolvConf,
  type ResolvConf,
} from './files.ts';
import type { Endpoint } from './network.ts';
import { hasIPv6 } from './sysctl.ts';

/** Everything asked of the files /etc/hosts, /etc/resolv.conf and /etc/hostname of a container. */
export interface NetworkFilesRequest {
  containerId: string;
  hostname: string;
  domainname: string;
  /** `default`, `bridge`, `host`, `none` or a network: `host` copies the host's own files. */
  networkMode: string;
  /** `name:address`, the address may be `host-gateway`. */
  extraHosts: readonly string[];
  dns: readonly string[];
  dnsSearch: readonly string[];
  dnsOptions: readonly string[];
}

export interface NetworkFiles {
  hosts: string;
  resolvConf: string;
  hostname: string;
}

/** What the texts depend on besides the request. */
export interface FilesSurroundings {
  endpoints: readonly Endpoint[];
  /** Lines for `--link`. */
  linked: readonly HostsEntry[];
  embeddedDns: boolean;
  hostGatewayIp: string;
  resolvConfPath: string;
  /** The daemon's own --dns, --dns-search and --dns-opt, for containers that give none. */
  daemon: { dns: readonly string[]; search: readonly string[]; options: readonly string[] };
}

/** @throws invalid for an extra host that is none. */
export function networkFiles(request: NetworkFilesRequest, surroundings: FilesSurroundings): NetworkFiles {
  const extra = request.extraHosts.map(line => parseExtraHost(line, surroundings.hostGatewayIp));
  const hostname = hostnameText(request.hostname);
  const resolvConf = resolvConfFor(request, surroundings);
  if (request.networkMode === 'host') {
    return { hosts: readText('/etc/hosts') + hostLines(extra), resolvConf, hostname };
  }
  const names = ownNames(request.hostname, request.domainname);
  const own = surroundings.endpoints.flatMap(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap(held => (held === undefined ? [] : [{ address: held.address, names }])),
  );
  return { hosts: hostsText([...extra, ...surroundings.linked], own), resolvConf, hostname };
}

/** What the host's file says; a host without one has no name servers. */
export function readResolvConf(path: string): ResolvConf {
  return parseResolvConf(readText(path));
}

function resolvConfFor(
  request: NetworkFilesRequest,
  { embeddedDns, resolvConfPath, daemon }: FilesSurroundings,
): string {
  const hostText = readText(resolvConfPath);
  const overrides = {
    dns: request.dns.length > 0 ? request.dns : daemon.dns,
    search: request.dnsSearch.length > 0 ? request.dnsSearch : daemon.search,
    options: request.dnsOptions.length > 0 ? request.dnsOptions : daemon.options,
  };
  if (embeddedDns) return embeddedResolvConfText(hostText, overrides);
  const overridden = overrides.dns.length + overrides.search.length + overrides.options.length > 0;
  // In the host's own network its loopback is the container's loopback: every server can be reached.
  if (request.networkMode === 'host' && !overridden) return hostText;
  return hostResolvConfText(hostText, overrides, hasIPv6());
}

/**
 * `name:address`; the address may contain colons, and is `host-gateway` for the host itself.
 * @throws invalid, in Docker's words
 */
export function parseExtraHost(line: string, hostGatewayIp: string): HostsEntry {
  const match = /^([^:=]+)[:=](.+)$/.exec(line);
  if (match === null) throw new EngineError('invalid', `bad format for add-host: "${line}"`);
  const given = match[2]!.replace(/^\[(.*)\]$/, '$1');
  const address = given === 'host-gateway' ? hostGatewayIp : given;
  if (address === '') throw new EngineError('invalid', 'unable to derive the IP value for host-gateway');
  if (isIP(address) === 0) throw new EngineError('invalid', `invalid IP address in add-host: "${given}"`);
  return { address, names: match[1]! };
}

function hostLines(entries: readonly HostsEntry[]): string {
  return entries.map(({ address, names }) => `${address}\t${names}\n`).join('');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
