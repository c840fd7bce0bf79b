import { NftGeneration } from '../../linux/nftables/generation.ts';
import { Nftables, type NftObject } from '../../linux/nftables/nftables.ts';
import { messageOf } from '../../stdx/errors.ts';
import type { Log } from '../../stdx/log.ts';
import {
  type NamedAddress,
  planNamed,
  planNamedGone,
  type RefusedFlow,
  readNamed,
  readRefused,
  unsteadySets,
} from './egress.ts';
import { openLegacyFirewall } from './legacy.ts';
import { isBesideDockerd, planNeighbours, planOpenings, rulesOf } from './neighbours.ts';
import {
  countElements,
  type FirewallBridge,
  type FirewallState,
  type HostSide,
  type PortRule,
  planBridgeAdded,
  planBridgeRemoved,
  planPortsAdded,
  planPortsRemoved,
  planRuleset,
  planStrangers,
  planWiresClosed,
} from './ruleset.ts';

/**
 * Gantry's one nftables table, kept as it must be. It remembers the state it made, so it can make it again at any
 * time: when somebody flushed the ruleset, the next change or `verify` puts everything back.
 */
export class Firewall {
  readonly #table: string;
  readonly #enabled: boolean;
  readonly #spares: 4 | 6 | undefined;
  readonly #dockerBridges: () => string[];
  readonly #log: Log;
  readonly #nft = new Nftables();
  readonly #generation = new NftGeneration();
  readonly #bridges = new Map<string, FirewallBridge>();
  readonly #ports = new Map<string, PortRule>();
  #closed: readonly (4 | 6)[] = [];
  #strangers: readonly string[] = [];
  /** Addresses of names on egress lists, by link and address; some may be over. */
  readonly #named = new Map<string, Named>();
  /** The generation after which nobody but us changed anything. */
  #seen = notYet;
  /** Chains and rules as the kernel shows them when they are right. */
  #wanted = '';

  /**
   * @param options.families what the rules are for; none: there is no table, and nothing here does anything.
   * @param options.dockerBridges link names of what looks like dockerd's bridges, ours perhaps among them.
   */
  constructor(options: {
    table: string;
    families: readonly (4 | 6)[];
    dockerBridges: () => string[];
    log: Log;
  }) {
    this.#table = options.table;
    this.#enabled = options.families.length > 0;
    const spared = ([4, 6] as const).filter(family => !options.families.includes(family));
    this.#spares = this.#enabled ? spared[0] : undefined;
    this.#dockerBridges = options.dockerBridges;
    this.#log = options.log;
  }

  /** Makes the table from nothing, in one step that no packet notices. */
  replace(bridges: readonly FirewallBridge[], ports: readonly PortRule[]): void {
    this.#bridges.clear();
    this.#ports.clear();
    for (const bridge of bridges) this.#bridges.set(bridge.linkName, bridge);
    for (const port of ports) this.#ports.set(keyOf(port), port);
    if (this.#enabled && bridges.some(({ egressSubnets }) => egressSubnets !== undefined)) this.#adoptNamed();
    this.#rebuild();
  }

  addBridge(bridge: FirewallBridge): void {
    this.#bridges.set(bridge.linkName, bridge);
    this.#changeOrUndo(planBridgeAdded(this.#table, bridge), () => this.#bridges.delete(bridge.linkName));
    this.#openNeighbours();
  }

  removeBridge(linkName: string): void {
    const bridge = this.#bridges.get(linkName);
    if (bridge === undefined) return;
    this.#bridges.delete(linkName);
    const named = this.namedOf(linkName);
    const commands = planBridgeRemoved(this.#table, bridge) + planNamedGone(this.#table, named);
    this.#changeOrUndo(commands, () => this.#bridges.set(linkName, bridge));
    for (const one of named) this.#named.delete(namedKey(one));
    this.#openNeighbours();
  }

  /**
   * Puts a bridge's new value in place of the old.
   * @param keeps whether the addresses of a name stay open.
   */
  changeBridge(bridge: FirewallBridge, keeps: (name: string) => boolean): void {
    const before = this.#bridges.get(bridge.linkName);
    if (before === undefined) return;
    const gone = this.namedOf(bridge.linkName).filter(({ name }) => !keeps(name));
    this.#bridges.set(bridge.linkName, bridge);
    const commands =
      planBridgeRemoved(this.#table, before) +
      planBridgeAdded(this.#table, bridge) +
      planNamedGone(this.#table, gone);
    this.#changeOrUndo(commands, () => this.#bridges.set(bridge.linkName, before));
    for (const named of gone) this.#named.delete(namedKey(named));
  }

  /** Lets a bridge's containers reach the addresses of a name for a while, longer than they are open already. */
  allowNamed(linkName: string, name: string, addresses: readonly string[], timeoutS: number): void {
    const nowMs = Date.now();
    const added = addresses
      .map(address => ({ linkName, address, name, expiresAtMs: nowMs + timeoutS * 1000 }))
      .filter(named => {
        const before = this.#named.get(namedKey(named));
        // Half of its time and more is left: not every question is a change of the firewall.
        return before === undefined || before.expiresAtMs - nowMs < (timeoutS * 1000) / 2;
      });
    if (added.length === 0) return;
    for (const [key, { expiresAtMs }] of this.#named) if (expiresAtMs < nowMs) this.#named.delete(key);
    for (const named of added) {
      // To the end: the first ones are those that were asked for longest ago.
      this.#named.delete(namedKey(named));
      this.#named.set(namedKey(named), named);
    }
    const opened = added.map(({ address }) => ({ linkName, address, timeoutS }));
    const surplus = this.namedOf(linkName).slice(0, -mostNamed);
    for (const named of surplus) this.#named.delete(namedKey(named));
    this.#change(planNamed(this.#table, opened) + planNamedGone(this.#table, surplus));
  }

  /** The addresses of names that a bridge's containers may reach. */
  namedOf(linkName: string): Named[] {
    const nowMs = Date.now();
    return [...this.#named.values()].filter(
      named => named.linkName === linkName && named.expiresAtMs > nowMs,
    );
  }

  /** What was refused in the last day. */
  refused(): RefusedFlow[] {
    return this.#enabled ? readRefused(this.#nft.list(`list table inet ${this.#table}`)) : [];
  }

  /** From now on the host forwards packets of these families to and from bridges only. */
  closeWires(families: readonly (4 | 6)[]): void {
    const more = families.filter(family => !this.#closed.includes(family));
    const before = this.#closed;
    this.#closed = families;
    // Before `replace` there is no table yet.
    if (this.#seen === notYet || more.length === 0) return;
    this.#changeOrUndo(planWiresClosed(this.#table, more), () => {
      this.#closed = before;
    });
  }

  addPorts(ports: readonly PortRule[]): void {
    if (ports.length === 0) return;
    for (const port of ports) this.#ports.set(keyOf(port), port);
    this.#changeOrUndo(planPortsAdded(this.#table, ports), () => {
      for (const port of ports) this.#ports.delete(keyOf(port));
    });
  }

  /** Ports that are not there are left out: releasing twice is fine. */
  removePorts(ports: readonly HostSide[]): void {
    const known = ports.flatMap(port => this.#ports.get(keyOf(port)) ?? []);
    if (known.length === 0) return;
    for (const port of known) this.#ports.delete(keyOf(port));
    this.#changeOrUndo(planPortsRemoved(this.#table, known), () => {
      for (const port of known) this.#ports.set(keyOf(port), port);
    });
  }

  /** @returns whether something was missing and was put back. 10 µs when nobody changed any table. */
  verify(): boolean {
    if (!this.#enabled) return false;
    const now = this.#generation.current();
    if (now === this.#seen) {
      // The old interface does not count its changes; without such tables this reads two small files.
      this.#openLegacy();
      return false;
    }
    const whole = this.#isWhole();
    if (!whole) {
      this.#log.warn({ table: this.#table }, 'firewall rules are missing: putting them back');
      this.#rebuild();
      return true;
    }
    this.#seen = now;
    this.#openNeighbours();
    return false;
  }

  /** Takes the table and our rules in other tables away. */
  remove(): void {
    this.#bridges.clear();
    this.#ports.clear();
    this.#openNeighbours();
    this.#deleteTable();
  }

  close(): void {
    this.#nft.close();
    this.#generation.close();
  }

  get #state(): FirewallState {
    return {
      table: this.#table,
      bridges: [...this.#bridges.values()],
      ports: [...this.#ports.values()],
      closed: this.#closed,
      strangers: this.#strangers,
      named: this.#namedNow(),
      spares: this.#spares,
    };
  }

  #namedNow(): NamedAddress[] {
    const nowMs = Date.now();
    return [...this.#named.values()]
      .filter(({ linkName, expiresAtMs }) => expiresAtMs > nowMs && this.#bridges.has(linkName))
      .map(({ linkName, address, expiresAtMs }) => ({
        linkName,
        address,
        timeoutS: Math.ceil((expiresAtMs - nowMs) / 1000),
      }));
  }

  /** What an earlier daemon let through goes on: containers will not ask again. */
  #adoptNamed(): void {
    let listing: NftObject[];
    try {
      listing = this.#nft.list(`list table inet ${this.#table}`);
    } catch {
      // There was none.
      return;
    }
    for (const { linkName, address, timeoutS } of readNamed(listing)) {
      const named = { linkName, address, name: '', expiresAtMs: Date.now() + timeoutS * 1000 };
      this.#named.set(namedKey(named), named);
    }
  }

  #changeOrUndo(commands: string, undo: () => void): void {
    try {
      this.#change(commands);
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** One small transaction, or all of it when the kernel does not have what the small one builds on. */
  #change(commands: string): void {
    if (!this.#enabled) return;
    const before = this.#generation.current();
    try {
      this.#nft.run(commands);
      // If somebody else changed something before, the next `verify` has to look.
      if (this.#seen === before) this.#seen = before + 1;
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'firewall change refused: making the whole table again');
      this.#rebuild();
    }
  }

  #rebuild(): void {
    if (!this.#enabled) {
      this.#deleteTable();
      return;
    }
    // What the kernel shows is the measure from now on: if somebody else changed something meanwhile, once more.
    for (let attempt = 0; attempt < rebuildAttempts; attempt++) {
      this.#seen = this.#generation.current() + 1;
      this.#nft.run(planRuleset(this.#state));
      this.#wanted = withoutElements(this.#nft.list(`list table inet ${this.#table}`));
      if (this.#generation.current() === this.#seen) break;
    }
    this.#openNeighbours();
  }

  /** Same rules and the same number of elements everywhere: nobody took anything away, or put something in. */
  #isWhole(): boolean {
    let listing: NftObject[];
    try {
      listing = this.#nft.list(`list table inet ${this.#table}`);
    } catch {
      // The listing of a table that is not there fails: that is the answer.
      return false;
    }
    if (withoutElements(listing) !== this.#wanted) return false;
    const wanted = countElements(this.#state);
    return listing.every(object => {
      const set = object['set'] ?? object['map'];
      if (set === undefined || unsteadySets.has(String(set['name']))) return true;
      const elements = (set['elem'] as unknown[] | undefined) ?? [];
      return elements.length === (wanted[set['name'] as string] ?? 0);
    });
  }

  #deleteTable(): void {
    this.#nft.run(`table inet ${this.#table}\ndelete table inet ${this.#table}\n`);
  }

  /** Others change their tables whenever they like, also between our look and our change: then there is a next time. */
  #openNeighbours(): void {
    if (!this.#enabled) return;
    try {
      this.#changeNeighbours();
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'another firewall cannot be opened for our bridges now');
      this.#seen = lookAgain;
    }
  }

  #changeNeighbours(): void {
    const before = this.#generation.current();
    const bridges = [...this.#bridges.keys()];
    const openings = planOpenings(this.#nft.list('list chains'), this.#table);
    const ours = openings.filter(({ family }) => this.#spares !== 4 || family === 'ip6');
    const commands = ours.flatMap(opening => {
      const rules = rulesOf(this.#nft.list(`list chain ${opening.family} ${opening.table} ${opening.name}`));
      return planNeighbours([{ ...opening, rules }], bridges, this.#table);
    });
    const strangers = isBesideDockerd(openings)
      ? this.#dockerBridges().filter(name => !this.#bridges.has(name))
      : [];
    if (bridges.length > 0) commands.push(...planStrangers(this.#table, this.#strangers, strangers));
    if (commands.length > 0) {
      this.#nft.run(`${commands.join('\n')}\n`);
      if (this.#seen === before) this.#seen = before + 1;
    }
    this.#strangers = strangers;
    this.#openLegacy();
  }

  #openLegacy(): void {
    if (this.#spares !== 4) openLegacyFirewall([...this.#bridges.keys()], this.#table);
  }
}

/** Chains, rules and the sets' types. Handles differ each time the table is made. */
function withoutElements(listing: readonly NftObject[]): string {
  return JSON.stringify(listing, (key, value: unknown) =>
    key === 'handle' || key === 'elem' || key === 'metainfo' ? undefined : value,
  );
}

/** No generation has these numbers. */
const notYet = -1;
const lookAgain = -2;
const rebuildAttempts = 5;

/** Open at a time on one bridge: whoever owns a name below a `*.` may answer with ever new addresses. */
const mostNamed = 4096;

/** An address of a name on an egress list. */
interface Named {
  linkName: string;
  address: string;
  /** '' when an earlier daemon knew it. */
  name: string;
  expiresAtMs: number;
}

function namedKey({ linkName, address }: Pick<Named, 'linkName' | 'address'>): string {
  return `${linkName} ${address}`;
}

function keyOf({ protocol, family, hostIp, hostPort, direct }: HostSide): string {
  return `${protocol} ${family} ${hostIp ?? '*'} ${hostPort}${direct === true ? ' direct' : ''}`;
}
