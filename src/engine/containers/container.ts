import type { Digest } from '../../oci/digest.ts';
import type { ContainerConfig, EndpointRequest, HostConfig } from './config.ts';

export type Status = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

/** What a container is doing, and how its last run ended. Times are milliseconds since the epoch, 0 for never. */
export interface ContainerState {
  status: Status;
  /** Process id of the container's first process on the host; 0 when it does not run. */
  pid: number;
  exitCode: number;
  /** Why the last start failed; '' otherwise. */
  error: string;
  oomKilled: boolean;
  /** The most memory it used, when it was killed for that. */
  memoryPeakBytes?: number;
  startedAtMs: number;
  finishedAtMs: number;
  health?: HealthState;
  /** It is being ended because it is unhealthy, and shall be started again afterwards. */
  endsToRestart?: boolean;
  /** Its process has ended like this, and what the run held is being given back. */
  ended?: ContainerExit;
}

export interface ContainerExit {
  exitCode: number;
  finishedAtMs: number;
  oomKilled: boolean;
  /** Nobody saw it end. */
  lost?: boolean;
  memoryPeakBytes?: number;
}

export interface HealthState {
  status: 'starting' | 'healthy' | 'unhealthy';
  failingStreak: number;
  /** Newest last, five at most, as Docker keeps them. */
  log: { startMs: number; endMs: number; exitCode: number; output: string }[];
  /** How long the last restart for bad health waited; absent when there was none since a check passed. */
  restartDelayMs?: number;
}

/** A mount as resolved at creation: bind sources and volume names are settled, the order is the mounting order. */
export interface ResolvedMount {
  type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** Of a volume; of an image as it was asked for; '' otherwise. */
  name: string;
  /** Host path for binds; undefined for tmpfs. */
  source: string;
  target: string;
  driver: string;
  /** As typed after the second colon: `ro,z`. */
  mode: string;
  readWrite: boolean;
  propagation: string;
  /** At the first start: copy the image's content into a new, empty volume. */
  copyUp: boolean;
  /** Made for this container alone: goes with `rm -v` and `--rm`. */
  anonymous: boolean;
  /** Of a volume or an image. */
  subpath?: string;
  tmpfsOptions?: string[];
  nonRecursive?: boolean;
  /** A read-only bind: what is mounted below it stays writable, or must be read-only; otherwise it is, where possible. */
  submounts?: 'writable' | 'readOnly';
  /** Of an image: which it is, and the snapshot that holds its layers and is mounted. */
  image?: { id: Digest; snapshot: string };
  /** Given by --mount, whose JSON inspect shows in HostConfig.Mounts. */
  fromMountFlag?: boolean;
}

/** All the engine knows of one container; a row of the `containers` table holds it as JSON. */
export interface ContainerRecord {
  readonly id: string;
  /** Without the leading slash. */
  name: string;
  readonly createdAtMs: number;
  /** Image id; the layers stay referenced while the container exists, also when the image is untagged. */
  readonly imageId: Digest;
  readonly platform: { os: string; architecture: string; variant?: string };
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** By network name. */
  endpoints: Record<string, EndpointRequest>;
  mounts: ResolvedMount[];
  /** First process: program and arguments, as inspect's Path and Args. */
  path: string;
  args: string[];
  state: ContainerState;
  restartCount: number;
  /** A user sent it a signal, whatever it was: `unless-stopped` does not start it again until a user does. */
  manuallyStopped: boolean;
  /** A user meant to end it: no policy starts it again until the next start of the daemon. */
  restartCancelled?: boolean;
  driver: string;
  /** Name of the OCI runtime that runs it, as /info lists them. */
  runtime: string;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  exitCode: number;
}
