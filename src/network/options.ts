import { EngineError } from '../stdx/errors.ts';
import { parseIp } from '../stdx/ip.ts';
import type { BridgeSettings, Network, NetworkRequest } from './network.ts';

/**
 * Checks everything of a request that needs no look at the host.
 * @returns the driver it means.
 * @throws in Docker's words, or notImplemented
 * naming what is not supported: nothing is accepted and then ignored.
 */
export function checkRequest(
  request: NetworkRequest,
  existing: readonly Network[],
): 'bridge' | 'macvlan' | 'ipvlan' {
  if (predefinedNames.includes(request.name)) {
    throw new EngineError('forbidden', `operation is not permitted on predefined ${request.name} network `);
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_. -]*$/.test(request.name)) {
    throw new EngineError('invalid', `invalid name: "${request.name}" is invalid`);
  }
  if (existing.some(network => network.name === request.name)) {
    throw new EngineError('conflict', `network with name ${request.name} already exists`);
  }
  refuseUnsupported(request);
  return driverOf(request.driver);
}

/** The predefined networks; `none` and `host` stand for drivers of which there is one network only. */
const predefinedNames: readonly string[] = ['bridge', 'host', 'none', 'default'];

function driverOf(name: string | undefined): 'bridge' | 'macvlan' | 'ipvlan' {
  switch (name) {
    case undefined:
    case '':
    case 'default':
    case 'bridge':
      return 'bridge';
    case 'host':
    case 'null':
      throw new EngineError('forbidden', `only one instance of "${name}" network is allowed`);
    case 'macvlan':
    case 'ipvlan':
      return name;
    case 'overlay':
      throw new EngineError('notImplemented', `network driver "${name}" is not supported yet`);
    default:
      throw new EngineError('notFound', `plugin "${name}" not found`);
  }
}

/** What the driver options of a bridge network mean. @throws invalid, notImplemented for unknown options. */
export function bridgeSettings(
  options: Readonly<Record<string, string>>,
  defaults: { linkName: string; isDefault: boolean; hostBindingIpv4: string },
): BridgeSettings {
  for (const key of Object.keys(options)) {
    if (!knownOptions.has(key))
      throw new EngineError('notImplemented', `network option "${key}" is not supported`);
  }
  return {
    linkName: checkedLinkName(options[bridgeName] ?? defaults.linkName),
    interContainer: parseBoolean(enableIcc, options[enableIcc], true),
    masquerade: parseBoolean(enableMasquerade, options[enableMasquerade], true),
    hostBindingIpv4: checkedBinding(options[hostBinding] ?? defaults.hostBindingIpv4),
    mtu: parseMtu(options[driverMtu]),
    isDefault: defaults.isDefault,
  };
}

/** The options `network inspect bridge` shows. */
export function defaultBridgeOptions(settings: BridgeSettings): Record<string, string> {
  return {
    [defaultBridge]: 'true',
    [enableIcc]: String(settings.interContainer),
    [enableMasquerade]: String(settings.masquerade),
    [hostBinding]: settings.hostBindingIpv4,
    [bridgeName]: settings.linkName,
    [driverMtu]: String(settings.mtu ?? 1500),
  };
}

const bridgeName = 'com.docker.network.bridge.name';
const enableIcc = 'com.docker.network.bridge.enable_icc';
const enableMasquerade = 'com.docker.network.bridge.enable_ip_masquerade';
const hostBinding = 'com.docker.network.bridge.host_binding_ipv4';
const defaultBridge = 'com.docker.network.bridge.default_bridge';
export const driverMtu = 'com.docker.network.driver.mtu';
const knownOptions: ReadonlySet<string> = new Set([
  bridgeName,
  enableIcc,
  enableMasquerade,
  hostBinding,
  driverMtu,
]);

function refuseUnsupported(request: NetworkRequest): void {
  const unsupported: [string, boolean][] = [
    ['ingress networks', request.ingress === true],
    ['config-only networks', request.configOnly === true],
    ['--config-from', (request.configFrom ?? '') !== ''],
    [`scope "${request.scope}"`, !['', 'local'].includes(request.scope ?? '')],
    [`IPAM driver "${request.ipam?.driver}"`, !['', 'default'].includes(request.ipam?.driver ?? '')],
    ['IPAM options', Object.keys(request.ipam?.options ?? {}).length > 0],
  ];
  const found = unsupported.find(([, asked]) => asked);
  if (found !== undefined) throw new EngineError('notImplemented', `${found[0]}: not supported`);
}

/** IFNAMSIZ is 16 with the closing zero byte; a slash would leave /proc/sys/net/ipv4/conf. */
function checkedLinkName(name: string): string {
  if (/^[^/\s:"\\]{1,15}$/.test(name) && name !== '.' && name !== '..') return name;
  throw new EngineError('invalid', `invalid bridge name "${name}"`);
}

function checkedBinding(text: string): string {
  if (parseIp(text)?.family === 4) return text;
  throw new EngineError('invalid', `invalid value for ${hostBinding}: "${text}"`);
}

/** The words Go's strconv.ParseBool knows. */
function parseBoolean(key: string, text: string | undefined, fallback: boolean): boolean {
  if (text === undefined) return fallback;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw new EngineError('invalid', `failed to parse ${key} value: "${text}"`);
}

export function parseMtu(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const mtu = Number(text);
  // 68 is the least IPv4 allows (RFC 791); 65535 the most a veth takes.
  if (/^\d+$/.test(text) && mtu >= 68 && mtu <= 65535) return mtu;
  throw new EngineError('invalid', `failed to parse ${driverMtu} value: "${text}"`);
}
