import { EngineError } from '../stdx/errors.ts';
import { parseIp } from '../stdx/ip.ts';
import { egressOption, parseEgress } from './egress-list.ts';
import type { BridgeSettings, GatewayMode, Network, NetworkRequest } from './network.ts';

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
  if (request.enableIPv4 === false && request.enableIPv6 !== true) {
    throw new EngineError('invalid', 'IPv4 or IPv6 must be enabled');
  }
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
      throw new EngineError('notImplemented', `network driver "${name}" is not supported`);
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
    hostBindingIpv4: checkedAddress(hostBinding, options[hostBinding] ?? defaults.hostBindingIpv4, 4),
    mtu: parseMtu(options[driverMtu]),
    ...(options[egressOption] === undefined ? {} : { egress: parseEgress(options[egressOption]) }),
    isDefault: defaults.isDefault,
    ...rareSettings(options),
  };
}

/** Only what was given: rows of networks made before there were these options are read like new ones. */
function rareSettings(options: Readonly<Record<string, string>>): Partial<BridgeSettings> {
  const settings: Partial<BridgeSettings> = {};
  const given = (key: string) => options[key] !== undefined;
  if (given(gatewayMode4)) settings.gatewayModeIpv4 = parseMode(gatewayMode4, options[gatewayMode4]!);
  if (given(gatewayMode6)) settings.gatewayModeIpv6 = parseMode(gatewayMode6, options[gatewayMode6]!);
  if (given(hostIpv4)) settings.sourceIpv4 = checkedAddress(hostIpv4, options[hostIpv4]!, 4);
  if (given(hostIpv6)) settings.sourceIpv6 = checkedAddress(hostIpv6, options[hostIpv6]!, 6);
  if (parseBoolean(inhibitIpv4, options[inhibitIpv4], false)) settings.inhibitIpv4 = true;
  if (options[containerPrefix]) settings.containerPrefix = checkedPrefix(options[containerPrefix]);
  return settings;
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
const gatewayMode4 = 'com.docker.network.bridge.gateway_mode_ipv4';
const gatewayMode6 = 'com.docker.network.bridge.gateway_mode_ipv6';
const inhibitIpv4 = 'com.docker.network.bridge.inhibit_ipv4';
const hostIpv4 = 'com.docker.network.host_ipv4';
const hostIpv6 = 'com.docker.network.host_ipv6';
const containerPrefix = 'com.docker.network.container_iface_prefix';
const defaultBridge = 'com.docker.network.bridge.default_bridge';
export const driverMtu = 'com.docker.network.driver.mtu';
const knownOptions: ReadonlySet<string> = new Set([
  bridgeName,
  enableIcc,
  enableMasquerade,
  hostBinding,
  driverMtu,
  gatewayMode4,
  gatewayMode6,
  inhibitIpv4,
  hostIpv4,
  hostIpv6,
  containerPrefix,
  egressOption,
]);

function refuseUnsupported(request: NetworkRequest): void {
  const unsupported: [string, boolean][] = [
    ['ingress networks', request.ingress === true],
    [`scope "${request.scope}"`, !['', 'local'].includes(request.scope ?? '')],
    [`IPAM driver "${request.ipam?.driver}"`, !['', 'default'].includes(request.ipam?.driver ?? '')],
    [
      `${egressOption} on an internal network, which reaches nothing anyway`,
      request.internal === true && request.options?.[egressOption] !== undefined,
    ],
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

function checkedAddress(key: string, text: string, family: 4 | 6): string {
  if (parseIp(text)?.family === family) return text;
  throw new EngineError('invalid', `failed to parse ${key} value: ${text} (nil ip)`);
}

/** A number has to fit behind it. */
function checkedPrefix(text: string): string {
  if (/^[^/\s:"\\0-9][^/\s:"\\]{0,11}$/.test(text)) return text;
  throw new EngineError('invalid', `invalid value for ${containerPrefix}: "${text}"`);
}

const gatewayModes: readonly string[] = [
  'nat',
  'nat-unprotected',
  'routed',
  'isolated',
] satisfies GatewayMode[];

function parseMode(key: string, text: string): GatewayMode {
  if (gatewayModes.includes(text)) return text as GatewayMode;
  throw new EngineError('invalid', `failed to parse ${key} value: ${text} (unknown gateway mode ${text})`);
}

/** The words Go's strconv.ParseBool knows. */
function parseBoolean(key: string, text: string | undefined, fallback: boolean): boolean {
  if (text === undefined) return fallback;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw new EngineError(
    'invalid',
    `failed to parse ${key} value: ${text} (strconv.ParseBool: parsing "${text}": invalid syntax)`,
  );
}

export function parseMtu(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    throw new EngineError(
      'invalid',
      `failed to parse ${driverMtu} value: ${text} (strconv.Atoi: parsing "${text}": invalid syntax)`,
    );
  }
  const mtu = Number(text);
  if (mtu < 0) throw new EngineError('invalid', `invalid MTU number: ${mtu}`);
  // 68 is the least IPv4 allows (RFC 791); 65535 the most a veth takes.
  if (mtu >= 68 && mtu <= 65535) return mtu;
  throw new EngineError('invalid', `invalid MTU number: ${mtu}: want 68 to 65535`);
}
