import type { GcSettings } from '../build/cache-usage.ts';
import type { Proxies } from '../distribution/proxies.ts';
import type { CollectionPolicy } from '../images/plan-collection.ts';
import type { ImageStore } from '../images/store.ts';
import type { NetworkController } from '../network/controller.ts';
import type { LogSinks } from '../runtime/logs/log-sinks.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { SeccompProfile } from '../runtime/seccomp.ts';
import type { Log } from '../stdx/log.ts';
import type { KeyedMutex } from '../stdx/mutex.ts';
import type { Storage } from '../storage/storage.ts';
import type { AttachHub } from './containers/attach-hub.ts';
import type { HealthMonitor } from './containers/health.ts';
import type { RestartTimers } from './containers/restart-timers.ts';
import type { ContainerStore } from './containers/store.ts';
import type { Visits } from './containers/visits.ts';
import type { Waits } from './containers/waits.ts';
import type { Edits } from './edit/edits.ts';
import type { EventBus } from './events.ts';
import type { ExecStore } from './execs/store.ts';
import type { DiskBudget } from './plan-disk-budget.ts';
import type { Scheduler } from './schedules/scheduler.ts';
import type { ScheduleStore } from './schedules/store.ts';

export interface SeccompDefault {
  /** `builtin`, `unconfined` or the profile's file, for `info`. */
  name: string;
  profile: 'default' | 'unconfined' | SeccompProfile;
}

/** Settings of the daemon that use cases read; from gantryd's flags and daemon.json. */
export interface EngineSettings {
  /** `local` unless the daemon was told otherwise. */
  logDriver: string;
  logOptions: Record<string, string>;
  defaultUlimits: { name: string; soft: number; hard: number }[];
  defaultShmSizeBytes: number;
  cgroupParent: string;
  /** Path of a static init program for `--init`; undefined when the host has none. */
  initPath: string | undefined;
  /** Containers get an init unless they say otherwise. */
  init: boolean;
  noNewPrivileges: boolean;
  /** Of containers that name none. */
  seccomp: SeccompDefault;
  defaultIpcMode: 'private' | 'shareable';
  /** undefined: private with cgroup v2, the host's with v1. */
  defaultCgroupnsMode: 'private' | 'host' | undefined;
  labels: string[];
  debug: boolean;
  /** For requests to registries. */
  proxies: Proxies;
  registryMirrors: string[];
  insecureRegistries: string[];
  /** How long the daemon waits for requests at work when it stops. */
  shutdownTimeoutMs: number;
  maxConcurrentDownloads: number;
  maxConcurrentUploads: number;
  maxDownloadAttempts: number;
  builderGc: GcSettings;
  /** What builds may be granted: `network.host`, `security.insecure`. */
  builderEntitlements: string[];
  /** What images that no container uses may take; undefined: anything. */
  imageCollection: CollectionPolicy | undefined;
  /** What may be kept that nobody needs; undefined: anything. */
  diskBudget: DiskBudget | undefined;
}

/**
 * What every use case works with. A container is changed by one use case at a time: whoever changes its record or
 * its part of the kernel holds `locks` for its id. Nobody waits for a process to end while holding it, as the end
 * of the process is handled under the same lock.
 */
export interface EngineContext {
  readonly settings: EngineSettings;
  readonly log: Log;
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly network: NetworkController;
  readonly images: ImageStore;
  readonly events: EventBus;
  readonly containers: ContainerStore;
  readonly edits: Edits;
  readonly execs: ExecStore;
  readonly locks: KeyedMutex;
  readonly waits: Waits;
  readonly visits: Visits;
  readonly attachments: AttachHub;
  readonly restarts: RestartTimers;
  readonly health: HealthMonitor;
  readonly schedules: ScheduleStore;
  readonly scheduler: Scheduler;
  readonly logSinks: LogSinks;
}
