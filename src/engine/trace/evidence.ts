import type { PortSeen, RouteSeen } from '../../network/probe.ts';
import type { ListeningSocket } from '../why/evidence.ts';

/** Everything that was seen on the way from a container to an address. */
export interface TraceEvidence {
  /** The container's name. */
  from: string;
  /** Networks with links that it is on, and whether they lead out of the host. */
  networks: {
    name: string;
    internal: boolean;
    interContainer: boolean;
    hasNames: boolean;
    hasEgressList?: boolean;
  }[];
  to: { host: string; port?: number; protocol: 'tcp' | 'udp' };
  /** undefined: an address was given. */
  name?: NameSeen;
  /** What the name stands for; undefined when nobody knows it. */
  address?: string;
  /** Who has the address. */
  owner?: Owner;
  /** undefined: no route. */
  route?: RouteSeen;
  /** The container's own link, and its neighbour's where the packet stays on one bridge. */
  ports: PortSeen[];
  /** Rules were missing and have been put back. */
  /** The network it leaves by has a list of what may be reached. */
  egress?: { network: string; allows: boolean };
  firewallMended: boolean;
  droppingChains: string[];
  /** What a connection comes to; undefined without a port, and for UDP. */
  connection?: string;
}

export interface NameSeen {
  /** By its /etc/hosts, which is read first. */
  byHostsFile: boolean;
  servers: string[];
  addresses: string[];
  outcome: string;
  /** The container that is called so. */
  container?: { running: boolean; networks: string[]; namedNetworks: string[] };
}

export type Owner =
  | { kind: 'itself'; sockets: ListeningSocket[] }
  | { kind: 'container'; name: string; network: string; sockets: ListeningSocket[] }
  | { kind: 'host'; published?: PublishedSeen; sockets: ListeningSocket[] }
  /** In the subnet of a network, but no container has it. */
  | { kind: 'nobody'; network: string }
  | { kind: 'outside' };

export interface PublishedSeen {
  container: string;
  hostPort: number;
  containerPort: number;
  /** Of the container. */
  sockets: ListeningSocket[];
}
