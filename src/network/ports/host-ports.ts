import { closeSync } from 'node:fs';
import { openInetSocket } from '../../linux/inet-socket.ts';
import { EngineError, errnoOf, messageOf } from '../../stdx/errors.ts';
import { formatIp, type IpAddress, parseIp } from '../../stdx/ip.ts';
import type { Log } from '../../stdx/log.ts';
import type { PortProtocol, PublishedPort } from '../network.ts';
import { readSysctl } from '../sysctl.ts';
import { isWildcard, type PortPlan, type PortTarget, showAddress, targetFor } from './plan.ts';
import { type PortProxy, startProxy } from './proxy.ts';

/**
 * The host's ports that are published. Each is held by a socket of the daemon, so that no other process can take it
 * (as dockerd's userland proxy does), and answered by a proxy where the kernel's rules do not reach.
 */
export class HostPorts {
  readonly #held = new Map<string, Held[]>();
  /** All of them by protocol, family and port: looking for a clash costs the same with 10 or 10,000 ports. */
  readonly #byPort = new Map<string, Held[]>();
  readonly #log: Log;
  readonly #proxy: boolean;
  #nextFree = 0;

  /** @param options.proxy false: ports are held and not answered. */
  constructor(options: { log: Log; proxy: boolean }) {
    this.#log = options.log;
    this.#proxy = options.proxy;
  }

  /**
   * Takes a port on all addresses of the plan.
   * @throws conflict when it is taken, in dockerd's words; invalid when an address is not the host's.
   */
  hold(owner: string, plan: HostPlan, target: PortTarget): PublishedPort[] {
    if (plan.choices === undefined) return this.#holdAny(owner, plan, target);
    const { first, last } = plan.choices;
    let failure: unknown;
    for (let port = first; port <= last; port++) {
      try {
        return this.#holdAll(owner, plan, port, target);
      } catch (error) {
        failure = error;
      }
    }
    if (first !== last && failure instanceof EngineError && failure.kind === 'conflict') {
      const address = formatIp(plan.hostAddresses[0]!);
      throw new EngineError(
        'conflict',
        `Bind for ${address}:${first}-${last} failed: port is already allocated`,
      );
    }
    throw failure;
  }

  /** Takes ports again that were published before the daemon's restart. One that is lost is logged, not fatal. */
  holdAgain(owner: string, ports: readonly PublishedPort[], target: PortTarget): void {
    for (const port of ports) {
      const { containerPort, protocol, hostPort } = port;
      const plan = { containerPort, protocol, hostAddresses: [parseIp(port.hostIp)!] };
      try {
        this.#holdAll(owner, plan, hostPort, target);
      } catch (error) {
        // The firewall still serves the port; only the proxy's part of it is missing.
        this.#log.warn(
          { error: messageOf(error), containerId: owner, port },
          'a published port cannot be held',
        );
      }
    }
  }

  release(owner: string): void {
    for (const held of this.#held.get(owner) ?? []) this.#giveBack(held);
    this.#held.delete(owner);
  }

  /** Some of an owner's ports. */
  releaseSome(owner: string, ports: readonly PublishedPort[]): void {
    const placeOf = (protocol: string, address: string, port: number) => `${protocol} ${address} ${port}`;
    const places = new Set(
      ports.map(({ protocol, hostIp, hostPort }) => placeOf(protocol, hostIp, hostPort)),
    );
    const isOne = ({ protocol, address, port }: Held) =>
      places.has(placeOf(protocol, formatIp(address), port));
    const all = this.#held.get(owner) ?? [];
    for (const held of all.filter(isOne)) this.#giveBack(held);
    const kept = all.filter(held => !isOne(held));
    if (kept.length === 0) this.#held.delete(owner);
    else this.#held.set(owner, kept);
  }

  close(): void {
    for (const owner of this.#held.keys()) this.release(owner);
  }

  #holdAny(owner: string, plan: HostPlan, target: PortTarget): PublishedPort[] {
    const { first, last } = freePortRange();
    for (let tries = 0; tries <= last - first; tries++) {
      if (this.#nextFree < first || this.#nextFree > last) this.#nextFree = first;
      const port = this.#nextFree++;
      try {
        return this.#holdAll(owner, plan, port, target);
      } catch (error) {
        if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
      }
    }
    throw new EngineError('exhausted', 'all ports are allocated');
  }

  #holdAll(owner: string, plan: HostPlan, port: number, target: PortTarget): PublishedPort[] {
    const { protocol } = plan;
    const taken: Held[] = [];
    try {
      for (const address of plan.hostAddresses) {
        const proxyTo = targetFor(address.family, plan.containerPort, target);
        if (proxyTo === undefined) continue;
        this.#refuseHeld(protocol, address, port);
        const held = { protocol, address, port, proxy: this.#open(protocol, address, port, proxyTo) };
        append(this.#byPort, portKey(held), held);
        taken.push(held);
      }
    } catch (error) {
      for (const held of taken) this.#giveBack(held);
      throw error;
    }
    for (const held of taken) append(this.#held, owner, held);
    return taken.map(held => ({
      containerPort: plan.containerPort,
      protocol: plan.protocol,
      hostIp: formatIp(held.address),
      hostPort: port,
    }));
  }

  /** A container has it: other words than for a process of the host. */
  #refuseHeld(protocol: PortProtocol, address: IpAddress, port: number): void {
    const clash = this.#byPort
      .get(portKey({ protocol, address, port }))
      ?.some(held => held.address.value === address.value || isWildcard(held.address) || isWildcard(address));
    if (clash !== true) return;
    throw new EngineError(
      'conflict',
      `Bind for ${showAddress(address, port)} failed: port is already allocated`,
    );
  }

  #giveBack(held: Held): void {
    held.proxy?.close();
    const others = (this.#byPort.get(portKey(held)) ?? []).filter(other => other !== held);
    if (others.length === 0) this.#byPort.delete(portKey(held));
    else this.#byPort.set(portKey(held), others);
  }

  #open(
    protocol: PortProtocol,
    address: IpAddress,
    port: number,
    target: { address: string; port: number },
  ): PortProxy | undefined {
    let fd: number;
    try {
      fd = openInetSocket({ protocol, address, port, listening: this.#proxy });
    } catch (error) {
      // Kernels without SCTP sockets still translate SCTP packets; there is nobody to hold the port against.
      if (protocol === 'sctp' && errnoOf(error) === 'EPROTONOSUPPORT') return undefined;
      throw bindError(protocol, address, port, error);
    }
    if (protocol === 'sctp' || !this.#proxy) return { close: () => closeSync(fd) };
    return startProxy(protocol, fd, address.family, target, this.#log);
  }
}

/** Whatever was asked for. */
type HostPlan = Omit<PortPlan, 'asked'>;

interface Held {
  protocol: PortProtocol;
  address: IpAddress;
  port: number;
  proxy: PortProxy | undefined;
}

/** In place: an owner may have thousands of ports. */
function append<Key>(lists: Map<Key, Held[]>, key: Key, held: Held): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [held]);
  else list.push(held);
}

function portKey({ protocol, address, port }: Pick<Held, 'protocol' | 'address' | 'port'>): string {
  return `${protocol} ${address.family} ${port}`;
}

function bindError(protocol: PortProtocol, address: IpAddress, port: number, error: unknown): EngineError {
  const reason = errnoOf(error);
  const where = `listen ${protocol}${address.family} ${showAddress(address, port)}`;
  if (reason === 'EADDRINUSE') {
    return new EngineError(
      'conflict',
      `Error starting userland proxy: ${where}: bind: address already in use`,
      {
        cause: error,
      },
    );
  }
  if (reason === 'EADDRNOTAVAIL') {
    return new EngineError(
      'invalid',
      `Error starting userland proxy: ${where}: bind: cannot assign requested address`,
      {
        cause: error,
      },
    );
  }
  return new EngineError('internal', `Error starting userland proxy: ${where}: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Where dockerd looks for free ports (portallocator): the kernel's own range of ephemeral ports. */
function freePortRange(): { first: number; last: number } {
  const [first = 49153, last = 65535] = (readSysctl('ipv4/ip_local_port_range') ?? '')
    .split(/\s+/)
    .map(Number);
  return { first, last };
}
