import { EngineError } from '../stdx/errors.ts';
import { bitsOf, encloses, formatSubnet, parseIp, parseSubnet, subnetOf } from '../stdx/ip.ts';

/** What containers of a network may reach outside of it. Everything else is refused. */
export interface EgressList {
  /** In small letters; `*.example.org` is every name below example.org, but not itself. */
  readonly names: readonly string[];
  /** `192.0.2.0/24`; a single address is one too. */
  readonly subnets: readonly string[];
}

/** The network option that has the list: entries between commas, or `none`. */
export const egressOption = 'gantry.network.egress';

/** @throws invalid for what is neither a name nor a subnet */
export function parseEgress(text: string): EgressList {
  const entries = text
    .split(',')
    .map(entry => entry.trim().toLowerCase())
    .filter(entry => entry !== '' && entry !== 'none');
  if (entries.length === 0 && text.trim().toLowerCase() !== 'none')
    throw new EngineError('invalid', `${egressOption} is empty: want names and subnets, or none`);
  return listOf(entries);
}

export function formatEgress(list: EgressList): string {
  return [...list.names, ...list.subnets].join(',') || 'none';
}

/** The list with some entries more and some less; undefined is a network without a list. */
export function changeEgress(
  list: EgressList | undefined,
  { allow, remove }: { allow: readonly string[]; remove: readonly string[] },
): EgressList {
  const before = list === undefined ? [] : [...list.names, ...list.subnets];
  const gone = listOf(remove);
  const missing = [...gone.names, ...gone.subnets].find(entry => !before.includes(entry));
  if (missing !== undefined) throw new EngineError('notFound', `${missing} is not on the list`);
  const { names, subnets } = listOf([...before, ...allow]);
  return {
    names: names.filter(name => !gone.names.includes(name)),
    subnets: subnets.filter(subnet => !gone.subnets.includes(subnet)),
  };
}

/** Whether a name is on the list. */
export function allowsName(list: EgressList, asked: string): boolean {
  const name = asked.toLowerCase().replace(/\.$/, '');
  return list.names.some(entry => (entry.startsWith('*.') ? name.endsWith(entry.slice(1)) : name === entry));
}

/** Without those that lie inside of others: the kernel's sets hold no address twice. */
export function outermostSubnets(subnets: readonly string[]): string[] {
  const parsed = subnets.map(text => parseSubnet(text)!);
  return parsed
    .filter((inner, at) => !parsed.some((outer, other) => other !== at && encloses(outer, inner)))
    .map(formatSubnet);
}

function listOf(entries: readonly string[]): EgressList {
  const names = new Set<string>();
  const subnets = new Set<string>();
  for (const entry of entries) {
    const subnet = asSubnet(entry.toLowerCase());
    if (subnet !== undefined) subnets.add(subnet);
    else names.add(checkedName(entry.toLowerCase().replace(/\.$/, '')));
  }
  return { names: [...names], subnets: [...subnets] };
}

function asSubnet(text: string): string | undefined {
  const address = parseIp(text);
  const subnet = address === undefined ? parseSubnet(text) : subnetOf(address, bitsOf(address.family));
  return subnet && formatSubnet(subnet);
}

function checkedName(name: string): string {
  const labels = name.replace(/^\*\./, '').split('.');
  // Digits alone are an address that is none, not a name.
  const isName = labels.every(label => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (isName && name.length <= 253 && !/^\d+$/.test(labels.at(-1)!)) return name;
  throw new EngineError(
    'invalid',
    `invalid egress entry "${name}": want a name, *.name, an address or a subnet`,
  );
}
