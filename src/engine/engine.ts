import type { Readable, Writable } from 'node:stream';
import type { Builder } from '../build/builder.ts';
import type { ImageStore } from '../images/store.ts';
import type { NetworkController } from '../network/controller.ts';
import type { InterfaceStatistics } from '../network/network.ts';
import type { LogRecords } from '../runtime/logs/log-format.ts';
import type { Storage } from '../storage/storage.ts';
import type { CaptureRequest } from './containers/capture.ts';
import type { ContainerConfig, CreateRequest, EndpointRequest, HostConfig } from './containers/config.ts';
import type { ContainerRecord, WaitCondition, WaitResult } from './containers/container.ts';
import type { EditOutcome } from './edit/edit.ts';
import type { EditOptions, EditRequest } from './edit/request.ts';
import type { EventBus } from './events.ts';
import type { ImageUseCases } from './images.ts';
import type { NetworkUseCases } from './networks.ts';
import type { ScheduledRun } from './schedules/run.ts';
import type { ScheduleView } from './schedules/use-cases.ts';
import type { SecretUseCases } from './secrets.ts';
import type { SystemUseCases } from './system.ts';
import type { Trace, TraceTarget } from './trace/trace.ts';
import type { VolumeCopyUseCases } from './volume-copies.ts';
import type { VolumeUseCases } from './volumes.ts';
import type { WhyOptions } from './why/collect.ts';
import type { WhyAnswer } from './why/why.ts';

/**
 * The engine as its callers see it: one object per resource, one method per use case, which the server
 * translates HTTP to and back. Every method throws EngineError in Docker's words.
 */
export interface Engine {
  readonly containers: ContainerUseCases;
  readonly execs: ExecUseCases;
  readonly schedules: ScheduleUseCases;
  readonly images: ImageUseCases;
  readonly networks: NetworkUseCases;
  readonly volumes: VolumeUseCases;
  readonly volumeCopies: VolumeCopyUseCases;
  readonly secrets: SecretUseCases;
  readonly system: SystemUseCases;
  readonly events: EventBus;
  readonly builder: Builder;
  /** For reads that need no use case. */
  readonly imageStore: ImageStore;
  readonly networkController: NetworkController;
  readonly storage: Storage;
  /** Stops watching and closes files. Containers run on. */
  close(): Promise<void>;
}

/** `ref` is a full id, an unambiguous id prefix or a name, with or without a leading slash. */
export interface ContainerUseCases {
  create(request: CreateRequest): Promise<{ id: string; warnings: string[] }>;
  start(ref: string): Promise<void>;
  /** @param timeoutS seconds before SIGKILL; undefined: the container's own, else 10; -1: wait for ever. */
  stop(ref: string, options?: { signal?: string; timeoutS?: number }): Promise<void>;
  restart(ref: string, options?: { signal?: string; timeoutS?: number }): Promise<void>;
  kill(ref: string, signal?: string): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  update(ref: string, changes: Partial<HostConfig>): Promise<{ warnings: string[] }>;
  /** Says what is wrong with it, with evidence and what mends it. */
  why(ref: string, options: WhyOptions): Promise<WhyAnswer>;
  /** Walks the way from a container to an address. Errors: notFound, conflict (it does not run). */
  trace(ref: string, to: TraceTarget): Promise<Trace>;
  /** Its packets, as a pcap file that grows. Errors: notFound, conflict (it does not run), invalid. */
  capture(ref: string, request: CaptureRequest): Readable;
  edit(ref: string, request: EditRequest, options: EditOptions): Promise<EditOutcome>;
  remove(ref: string, options?: { force?: boolean; volumes?: boolean; link?: boolean }): Promise<void>;
  /**
   * Subscribes at once (the promise `ready` settles when the wait counts), answers later.
   * @throws notFound before anything is awaited
   */
  wait(ref: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult>;
  get(ref: string): ContainerRecord;
  list(): ContainerRecord[];
  /** The names that links give to other containers, by id: `/web/database`. */
  namesByLinks(): ReadonlyMap<string, string[]>;
  inspect(ref: string, options?: { size?: boolean }): Promise<ContainerInspection>;
  /** undefined when it is removed meanwhile. */
  size(id: string): Promise<{ rwBytes: number; rootBytes: number } | undefined>;
  attach(ref: string, options: AttachOptions): Promise<Attachment>;
  resize(ref: string, size: { rows: number; columns: number }): Promise<void>;
  /** In batches: hundreds of thousands of lines a second go through here. */
  logs(ref: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntries>;
  /** Attributes that go with every line of its log: `a=b,c=d`; '' when there are none. */
  logDetails(ref: string): string;
  top(ref: string, psArguments: string[]): Promise<{ titles: string[]; processes: string[][] }>;
  /** At most a second old. */
  stats(ref: string): ContainerStatsSample;
  /** One sample a second, the first at once. @throws notFound, also later when it is removed; an AbortError */
  followStats(ref: string, signal: AbortSignal): AsyncIterable<ContainerStatsSample>;
  changes(ref: string): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  statPath(ref: string, path: string): Promise<PathStat>;
  readArchive(ref: string, path: string): Promise<{ stat: PathStat; tar: Readable }>;
  writeArchive(
    ref: string,
    path: string,
    tar: Readable,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  export(ref: string): Promise<Readable>;
  commit(ref: string, options: CommitOptions): Promise<{ imageId: string }>;
  prune(
    matches: (container: ContainerRecord) => boolean,
  ): Promise<{ deleted: string[]; reclaimedBytes: number }>;
}

/** Containers that are started when their schedules come due. */
export interface ScheduleUseCases {
  list(): ScheduleView[];
  /** Newest first; what is kept of it when there is no limit. */
  history(ref: string, limit?: number): ScheduledRun[];
  /** Starts it now; paused or not. @throws conflict when it runs, or has no schedule */
  run(ref: string): Promise<void>;
  /** Nothing is started any more, nor counts as missed. @throws conflict */
  pause(ref: string): void;
  /** @throws conflict */
  resume(ref: string): void;
}

/** What inspect shows beyond the record: computed when asked. */
export interface ContainerInspection {
  record: ContainerRecord;
  paths: { resolvConf: string; hostname: string; hosts: string; jsonLog: string };
  execIds: string[];
  mergedDirectory: string;
  lowerDirectories: string[];
  upperDirectory: string;
  workDirectory: string;
  sizes?: { rwBytes: number; rootBytes: number };
  networks: EndpointView[];
  /** Published and exposed ports: `80/tcp` -> bindings, null when exposed only. */
  ports: Record<string, { hostIp: string; hostPort: string }[] | null>;
  sandboxId: string;
  sandboxKey: string;
  /** `/db:/web/database` */
  links: string[];
}

export interface EndpointView {
  networkName: string;
  networkId: string;
  endpointId: string;
  macAddress: string;
  gateway: string;
  ipAddress: string;
  ipPrefixLength: number;
  ipv6Gateway: string;
  globalIpv6Address: string;
  globalIpv6PrefixLength: number;
  aliases: string[];
  dnsNames: string[];
  links: string[];
  request: EndpointRequest;
}

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** First what was logged so far. */
  logs: boolean;
  /** Then what comes. */
  stream: boolean;
  /** Docker's notation, `ctrl-p,ctrl-q`; undefined: the daemon's default. Honoured on TTYs and raw stdin. */
  detachKeys?: string;
}

/** A client's line to a running process. Output not taken holds the process back, nothing is dropped. */
export interface Attachment {
  readonly tty: boolean;
  /** Pumps until the process ends, the client detaches or goes away. */
  pump(client: { input?: Readable; stdout: Writable; stderr: Writable }): Promise<void>;
}

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Lines; undefined: all. */
  tail?: number;
  sinceNs?: bigint;
  untilNs?: bigint;
}

/** Lines, and parts of lines, that a container wrote. */
export type LogEntries = LogRecords;

export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode bits, as Docker sends them. */
  mode: number;
  mtimeMs: number;
  linkTarget: string;
}

export interface CommitOptions {
  repository?: string;
  tag?: string;
  comment?: string;
  author?: string;
  pause: boolean;
  /** Dockerfile instructions, one each. */
  changes: string[];
  /** Laid over the container's own, as a create's is over the image's. */
  config?: ContainerConfig;
}

export interface ExecConfig {
  user: string;
  privileged: boolean;
  tty: boolean;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  detachKeys?: string;
  env: string[];
  workingDir: string;
  cmd: string[];
  consoleSize?: { rows: number; columns: number };
}

export interface ExecRecord {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  running: boolean;
  /** null until it has ended. */
  exitCode: number | null;
  pid: number;
  openStdin: boolean;
}

export interface ExecUseCases {
  create(containerRef: string, config: ExecConfig): Promise<string>;
  /** Detached: returns when it runs. Attached: returns a line that carries it. */
  start(
    id: string,
    options: { detach: boolean; tty: boolean; consoleSize?: { rows: number; columns: number } },
  ): Promise<Attachment | undefined>;
  get(id: string): ExecRecord;
  resize(id: string, size: { rows: number; columns: number }): Promise<void>;
}

/** Raw counters; server/convert turns two of them into Docker's stats JSON. */
export interface ContainerStatsSample {
  cgroupVersion: 1 | 2;
  readMs: number;
  id: string;
  name: string;
  running: boolean;
  cpu: {
    totalNs: number;
    userNs: number;
    kernelNs: number;
    perCpuNs: number[];
    systemNs: number;
    onlineCpus: number;
    throttlePeriods: number;
    throttledPeriods: number;
    throttledNs: number;
  };
  memory: {
    usageBytes: number;
    maxUsageBytes: number;
    limitBytes: number;
    failures: number;
    stats: Record<string, number>;
  };
  pids: { current: number; limit: number };
  blockIo: { major: number; minor: number; op: string; bytes: number; operations: number }[];
  networks: Record<string, Omit<InterfaceStatistics, 'name'>>;
}
