import type { PublishedPort } from '../../network/network.ts';
import type { HealthState, Status } from '../containers/container.ts';

/** What is known of a container, collected at one moment; diagnoses are functions of it alone. */
export interface Evidence {
  nowMs: number;
  name: string;
  image: string;
  status: Status;
  exitCode: number;
  /** Why the last start failed; '' otherwise. */
  error: string;
  startedAtMs: number;
  finishedAtMs: number;
  restartCount: number;
  /** Its user asked it to stop. */
  manuallyStopped: boolean;
  schedule?: ScheduleEvidence;
  /** The first process, with its arguments. */
  command: string[];
  tty: boolean;
  openStdin: boolean;
  /** The newest lines of the log, without their ends; empty when nothing is kept. */
  lastLines: string[];
  memory: MemoryEvidence;
  network: NetworkEvidence;
  health?: HealthEvidence;
  disks: DiskEvidence[];
  names: NameEvidence;
  /** undefined when it cannot be known: the container does not run and its user is not in its image. */
  identity?: Identity;
  mounts: MountEvidence[];
  readonlyRoot: boolean;
  reach?: ReachEvidence;
}

export interface ScheduleEvidence {
  cron: string;
  paused: boolean;
  /** undefined while it is paused. */
  nextMs?: number;
}

export interface MemoryEvidence {
  /** It has ended, and before the kernel killed a process of it: its first one, or any other. */
  oomKilled: boolean;
  /** How many, while it runs. */
  oomKills: number;
  /** 0: none. */
  limitBytes: number;
  peakBytes?: number;
}

export interface NetworkEvidence {
  /** `bridge`, `host`, `none`, `container`: how it is connected. */
  mode: 'bridge' | 'host' | 'none' | 'container';
  /** Address of the endpoint that ports lead to; '' when there is none. */
  address: string;
  /** `80/tcp` */
  exposed: string[];
  published: PublishedPort[];
  /** Of all namespaces' sockets those of the container's; empty when it does not run. */
  sockets: ListeningSocket[];
  /** The port the user wants to reach, container's or host's. */
  wantedPort?: number;
  /** Rules were missing and have been put back. */
  firewallMended: boolean;
  /** What a connection from the host to a published container port comes to. */
  attempts: { port: number; outcome: string }[];
}

export interface ListeningSocket {
  protocol: 'tcp' | 'udp';
  address: string;
  port: number;
}

export interface HealthEvidence {
  state: HealthState;
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  retries: number;
}

/** One file system the container writes to. */
export interface DiskEvidence {
  /** `data-root`, `volume data`, `/dev/shm` ... */
  what: string;
  path: string;
  kind: 'disk' | 'shm' | 'tmpfs';
  totalBytes: number;
  freeBytes: number;
  totalInodes: number;
  freeInodes: number;
}

export interface NameEvidence {
  /** As in its resolv.conf. */
  servers: string[];
  /** 127.0.0.11 answers names of other containers. */
  embedded: boolean;
  /** Whether 127.0.0.11 answers from inside; undefined when it is not asked there. */
  embeddedAnswers?: boolean;
  /** Whether its networks lead out of the host. */
  leadsOut: boolean;
  /** Where names are asked that no container has. */
  upstreams: { server: string; answers: boolean }[];
  /** Names its log complains of, or that the user asks for. */
  lookups: { name: string; addresses: string[]; outcome: string; wanted: boolean }[];
  /** All containers, by name, and the user-defined networks they are on. */
  containers: Record<string, string[]>;
  networks: string[];
}

export interface Identity {
  uid: number;
  gid: number;
  groups: number[];
  /** CAP_DAC_OVERRIDE: modes do not count. */
  overridesModes: boolean;
  /** `1000:1000`: the same user outside of its user namespace. */
  hostOwner: string;
}

export interface MountEvidence {
  type: 'bind' | 'volume';
  /** Volume name or host path. */
  source: string;
  target: string;
  readWrite: boolean;
  uid: number;
  gid: number;
  /** The owner is nobody in its user namespace. */
  foreign: boolean;
  /** Permission bits. */
  mode: number;
  directory: boolean;
}

export interface ReachEvidence {
  name: string;
  running: boolean;
  port?: number;
  /** Networks of each of the two that are bridges. */
  ownNetworks: string[];
  otherNetworks: string[];
  shared: { name: string; interContainer: boolean; hasNames: boolean; address: string }[];
  sockets: ListeningSocket[];
}
