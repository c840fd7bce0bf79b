import type { EndpointSettings } from '../../api/networks.ts';
import { splitCsv } from '../../stdx/csv.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { FlagValues } from '../flags.ts';
import { keyValues } from '../key-values.ts';

export interface NetworkPlan {
  mode: string;
  endpoints: Record<string, Partial<EndpointSettings>>;
}

interface Attachment {
  target: string;
  aliases: string[];
  links: string[];
  linkLocalIps: string[];
  ipv4: string;
  ipv6: string;
  mac: string;
  driverOptions: Record<string, string>;
  priority: number;
}

/**
 * `--network`, any number of times, plain (`app`) or with options (`name=app,alias=web,ip=10.0.0.5`). The flags that
 * stand alone (--ip, --network-alias ...) go to the first network.
 * @throws invalid, in Docker's words
 */
export function planNetworks(flags: FlagValues): NetworkPlan {
  const attachments = [...flags.list('network'), ...flags.list('net')].map(parseAttachment);
  if (attachments.length === 0) attachments.push(parseAttachment('default'));
  applyFlags(attachments[0]!, flags);
  const endpoints: NetworkPlan['endpoints'] = {};
  for (const attachment of attachments) {
    const special = /^(host|none|container:.*)$/.test(attachment.target);
    if (attachments.length > 1 && special) {
      throw new EngineError(
        'invalid',
        'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
      );
    }
    if (attachment.target in endpoints) {
      throw new EngineError('invalid', `network "${attachment.target}" is specified multiple times`);
    }
    if (attachment.aliases.length > 0 && (special || /^(default|bridge)$/.test(attachment.target))) {
      throw new EngineError('invalid', 'network-scoped aliases are only supported for user-defined networks');
    }
    const settings = endpoint(attachment);
    if (
      Object.keys(settings).length > 0 ||
      attachments.length > 1 ||
      !/^(default|bridge)$|^container:/.test(attachment.target)
    ) {
      endpoints[attachment.target] = settings;
    }
  }
  return { mode: attachments[0]!.target, endpoints };
}

/** One `--network` alone: its name and what the container shall be there. @throws invalid, in Docker's words */
export function planNetwork(text: string): [name: string, settings: Partial<EndpointSettings>] {
  const attachment = parseAttachment(text);
  return [attachment.target, endpoint(attachment)];
}

function parseAttachment(text: string): Attachment {
  const attachment: Attachment = {
    target: text,
    aliases: [],
    links: [],
    linkLocalIps: [],
    ipv4: '',
    ipv6: '',
    mac: '',
    driverOptions: {},
    priority: 0,
  };
  if (!/^[a-z-]+\d?=/.test(text)) return attachment;
  attachment.target = '';
  for (const field of splitCsv(text)) {
    const equals = field.indexOf('=');
    if (equals === -1) throw new EngineError('invalid', `invalid field ${field}`);
    setField(attachment, field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1).trim());
  }
  if (attachment.target === '') throw new EngineError('invalid', 'network name/id is not specified');
  return attachment;
}

function setField(attachment: Attachment, key: string, value: string): void {
  switch (key) {
    case 'name':
      attachment.target = value;
      return;
    case 'alias':
      attachment.aliases.push(value);
      return;
    case 'ip':
      attachment.ipv4 = value;
      return;
    case 'ip6':
      attachment.ipv6 = value;
      return;
    case 'mac-address':
      attachment.mac = value;
      return;
    case 'link-local-ip':
      attachment.linkLocalIps.push(value);
      return;
    case 'driver-opt':
      Object.assign(attachment.driverOptions, keyValues([value]));
      return;
    case 'gw-priority':
      attachment.priority = Number(value);
      return;
    default:
      throw new EngineError('invalid', `invalid field key ${key}`);
  }
}

function applyFlags(first: Attachment, flags: FlagValues): void {
  const both = (name: string) =>
    new EngineError('invalid', `conflicting options: cannot specify both --${name} and per-network ${name}`);
  if (flags.changed('ip') && first.ipv4 !== '') throw both('ip');
  if (flags.changed('ip6') && first.ipv6 !== '') throw both('ip6');
  if (flags.changed('mac-address') && first.mac !== '') throw both('mac-address');
  first.aliases.push(...flags.list('network-alias'), ...flags.list('net-alias'));
  first.links.push(...flags.list('link'));
  first.linkLocalIps.push(...flags.list('link-local-ip'));
  first.ipv4 = flags.string('ip') || first.ipv4;
  first.ipv6 = flags.string('ip6') || first.ipv6;
  first.mac = flags.string('mac-address') || first.mac;
}

function endpoint(attachment: Attachment): Partial<EndpointSettings> {
  const { aliases, links, linkLocalIps, ipv4, ipv6, mac, driverOptions, priority } = attachment;
  const settings: Partial<EndpointSettings> = {};
  if (ipv4 !== '' || ipv6 !== '' || linkLocalIps.length > 0) {
    settings.IPAMConfig = {
      IPv4Address: ipv4 || undefined,
      IPv6Address: ipv6 || undefined,
      LinkLocalIPs: linkLocalIps.length > 0 ? linkLocalIps : undefined,
    };
  }
  if (aliases.length > 0) settings.Aliases = aliases;
  if (links.length > 0) settings.Links = links;
  if (mac !== '') {
    if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac))
      throw new EngineError('invalid', `${mac} is not a valid mac address`);
    settings.MacAddress = mac;
  }
  if (Object.keys(driverOptions).length > 0) settings.DriverOpts = driverOptions;
  if (priority !== 0) settings.GwPriority = priority;
  return settings;
}
