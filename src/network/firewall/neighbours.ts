import type { NftObject } from '../../linux/nftables/nftables.ts';

/**
 * Living beside other firewalls. In nftables a `drop` is final and an `accept` ends one chain only, so our own
 * table cannot let a packet pass that another one drops: dockerd's and ufw's FORWARD chains have the policy DROP,
 * firewalld rejects at the end of its chain. They get two accept rules for each of our bridges, where Docker tells
 * its users to put theirs (DOCKER-USER, which dockerd never empties), or at the head of the chain itself.
 * What has to be dropped is dropped by our own table all the same.
 *
 * The rules are such as iptables-nft itself would write, so it goes on reading its tables.
 */
export function planNeighbours(
  chains: readonly ForeignChain[],
  bridges: readonly string[],
  comment: string,
): string[] {
  return chains.flatMap(chain => {
    const place = `${chain.family} ${chain.table} ${chain.name}`;
    const ours = chain.rules.filter(rule => rule.comment === comment);
    const wanted = bridges.flatMap(bridge => chain.matches.map(match => `${match} "${bridge}"`));
    const present = new Set(ours.map(rule => rule.match));
    return [
      ...wanted
        .filter(match => !present.has(match))
        .map(match => `insert rule ${place} ${match} counter accept comment "${comment}"`),
      ...ours
        .filter(rule => !wanted.includes(rule.match))
        .map(rule => `delete rule ${place} handle ${rule.handle}`),
    ];
  });
}

/** A chain of somebody else's, and what our bridges need there. */
export interface ForeignChain extends Opening {
  rules: readonly { handle: number; comment?: string; match: string }[];
}

export interface Opening {
  family: string;
  table: string;
  name: string;
  /** Traffic of our bridges that has to pass; none: the chain is only looked through for what we once put there. */
  matches: readonly ('iifname' | 'oifname')[];
}

/**
 * Which chains need our rules, from `list chains`: those that would drop what is forwarded, and firewalld's for the
 * host's own ports, as it lets dockerd's containers reach the host as well (its zone `docker`).
 */
export function planOpenings(listing: readonly NftObject[], ownTable: string): Opening[] {
  const chains = listing
    .flatMap(({ chain }) => (chain === undefined ? [] : [chain as unknown as NftChain]))
    .filter(chain => families.has(chain.family) && !(chain.family === 'inet' && chain.table === ownTable));
  const userChains = new Set(chains.filter(chain => chain.name === userChain).map(tableOf));
  const dropping = new Set(chains.filter(dropsForwarded).map(tableOf));
  return chains.flatMap((chain): Opening[] => {
    const { family, table, name } = chain;
    const place = { family, table, name };
    if (name === userChain) return [{ ...place, matches: dropping.has(tableOf(chain)) ? both : [] }];
    if (isFirewalld(chain, 'filter_INPUT')) return [{ ...place, matches: ['iifname'] }];
    if (chain.hook !== 'forward') return [];
    return [{ ...place, matches: dropsForwarded(chain) && !userChains.has(tableOf(chain)) ? both : [] }];
  });
}

/** Whether a dockerd has been here since the host started. */
export function isBesideDockerd(openings: readonly Opening[]): boolean {
  return openings.some(({ name }) => name === userChain);
}

/** Rules of one chain, from `list chain`. */
export function rulesOf(listing: readonly NftObject[]): ForeignChain['rules'] {
  return listing.flatMap(({ rule }) => {
    if (rule === undefined) return [];
    const { handle, comment, expr } = rule as unknown as NftRule;
    return [{ handle, comment, match: interfaceMatch(expr) }];
  });
}

interface NftChain {
  family: string;
  table: string;
  name: string;
  hook?: string;
  policy?: string;
}

interface NftRule {
  handle: number;
  comment?: string;
  expr: { match?: { left?: { meta?: { key?: string } }; right?: unknown } }[];
}

const userChain = 'DOCKER-USER';
const families: ReadonlySet<string> = new Set(['ip', 'ip6', 'inet']);
const both = ['iifname', 'oifname'] as const;

function dropsForwarded(chain: NftChain): boolean {
  return chain.hook === 'forward' && (chain.policy === 'drop' || isFirewalld(chain, 'filter_FORWARD'));
}

function isFirewalld(chain: NftChain, name: string): boolean {
  return chain.table === 'firewalld' && chain.name === name;
}

function tableOf(chain: NftChain): string {
  return `${chain.family} ${chain.table}`;
}

function interfaceMatch(expressions: NftRule['expr']): string {
  const match = expressions.find(expression => expression.match?.left?.meta?.key?.endsWith('ifname'))?.match;
  return match === undefined ? '' : `${match.left?.meta?.key} "${String(match.right)}"`;
}
