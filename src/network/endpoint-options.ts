import { splitCsv } from '../stdx/csv.ts';
import { EngineError } from '../stdx/errors.ts';
import { parseIp } from '../stdx/ip.ts';
import type { Endpoint, EndpointOptions } from './network.ts';

/**
 * What driver options and link-local addresses of one container's place on a network mean.
 * @throws invalid in Docker's words, notImplemented for unknown options
 */
export function endpointSettings({
  driverOptions = {},
  linkLocalIps = [],
}: Pick<EndpointOptions, 'driverOptions' | 'linkLocalIps'>): Pick<
  Endpoint,
  'wantedName' | 'sysctls' | 'linkLocalIps'
> {
  const unknown = Object.keys(driverOptions).find(key => key !== nameOption && key !== sysctlOption);
  if (unknown !== undefined)
    throw new EngineError('notImplemented', `driver option "${unknown}" of an endpoint is not supported`);
  const wantedName = driverOptions[nameOption];
  if (wantedName !== undefined && !isLinkName(wantedName))
    throw new EngineError('invalid', `invalid interface name "${wantedName}"`);
  const sysctls = driverOptions[sysctlOption] === undefined ? [] : splitCsv(driverOptions[sysctlOption]);
  for (const sysctl of sysctls) checkSysctl(sysctl);
  for (const address of linkLocalIps) {
    if (parseIp(address) === undefined)
      throw new EngineError(
        'invalid',
        `invalid endpoint settings:\ninvalid link-local IP address: ${address}`,
      );
  }
  return {
    ...(wantedName === undefined ? {} : { wantedName }),
    ...(sysctls.length === 0 ? {} : { sysctls }),
    ...(linkLocalIps.length === 0 ? {} : { linkLocalIps: [...linkLocalIps] }),
  };
}

/** `net.ipv4.conf.IFNAME.forwarding=1` -> where it is below /proc/sys/net, and what it shall be. */
export function sysctlFor(text: string, interfaceName: string): { path: string; value: string } {
  const [name = '', ...value] = text.split('=');
  // A VLAN's dot is part of the interface's name: what is a slash is decided before that goes in.
  const path = name
    .replace(/^net\./, '')
    .replaceAll('.', '/')
    .replace('IFNAME', interfaceName);
  return { path, value: value.join('=') };
}

const nameOption = 'com.docker.network.endpoint.ifname';
const sysctlOption = 'com.docker.network.endpoint.sysctls';

function isLinkName(name: string): boolean {
  return /^[^/\s:%]{1,15}$/.test(name) && name !== '.' && name !== '..';
}

function checkSysctl(text: string): void {
  if (!/^net\.(ipv4|ipv6|mpls)\.\w+\.IFNAME\.\w+(=|$)/.test(text)) {
    throw new EngineError(
      'invalid',
      `invalid endpoint settings:\nunrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
  }
  if (!text.includes('='))
    throw new EngineError('invalid', `expected sysctl '${text}' to have format name=value`);
}
