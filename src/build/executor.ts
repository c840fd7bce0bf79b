import type { Readable, Writable } from 'node:stream';

/** Runs the process of a RUN step. The engine provides it; the build room does not know the runtime. */
export interface Executor {
  /**
   * Settles when the process has ended and no other of the step lives. Its mounts, cgroup and network may go later.
   * An abort of `signal` kills it and rejects with kind `cancelled`.
   * @throws EngineError when the process cannot be started, as when the command is missing.
   */
  run(step: ExecutorStep, io: ExecutorIo, signal: AbortSignal): Promise<ExecutorResult>;
  /** As run(), for a process on a terminal. */
  converse(step: ExecutorStep, terminal: ExecutorTerminal, signal: AbortSignal): Promise<ExecutorResult>;
}

export interface ExecutorResult {
  exitCode: number;
  /** Settles when nothing is left of the step; never rejects. Absent: nothing is. */
  released?: Promise<void>;
}

/** Somebody at a terminal, or a program that acts as one. */
export interface ExecutorTerminal {
  size: { rows: number; columns: number };
  input: Readable;
  /** Closing it ends the process. */
  output: Writable;
  /** Called once the process runs: how the terminal's size is changed. */
  started(resize: (size: { rows: number; columns: number }) => void): void;
}

export interface ExecutorIo {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
}

export interface ExecutorStep {
  /** 64 hex digits, unique to this run. */
  id: string;
  /** The mounted, writable root of the step. */
  rootfs: string;
  args: string[];
  /** `NAME=value`; PATH is always among them. HOME is the executor's, from the passwd of the rootfs. */
  env: string[];
  /** Absolute; exists in the rootfs. */
  cwd: string;
  /** As USER says: `name`, `uid`, `name:group`, `uid:gid`; '' is root. Looked up in the rootfs by the executor. */
  user: string;
  hostname: string;
  /** `default`, `none`, `host` or the name of a network. */
  network: string;
  /** `name:address` */
  extraHosts: string[];
  mounts: ExecutorMount[];
  /** All capabilities and devices of the host, no seccomp, nothing masked (RUN --security=insecure). */
  privileged: boolean;
  limits: BuildLimits;
}

export type ExecutorMount =
  /** `source` is a path on the host, without symbolic links. */
  | { type: 'bind'; source: string; target: string; readOnly: boolean }
  | { type: 'tmpfs'; target: string; sizeBytes?: number; readOnly?: boolean }
  /** A file that is in memory only, and gone when the step has ended; ids are those in the step. */
  | ({ type: 'secret'; target: string; value: Buffer } & FileOwner)
  /** A unix socket that leads to the one at `socketPath` on the host. */
  | ({ type: 'agent'; target: string; socketPath: string } & FileOwner);

export interface FileOwner {
  permissions: number;
  uid: number;
  gid: number;
}

/** 0, '' and [] mean unset. */
export interface BuildLimits {
  shmSizeBytes: number;
  memoryBytes: number;
  /** Memory and swap together; -1 unlimited. */
  memorySwapBytes: number;
  cpuShares: number;
  cpuPeriodUs: number;
  cpuQuotaUs: number;
  cpusetCpus: string;
  cpusetMems: string;
  cgroupParent: string;
  ulimits: { name: string; soft: number; hard: number }[];
}

export const noLimits: BuildLimits = {
  shmSizeBytes: 0,
  memoryBytes: 0,
  memorySwapBytes: 0,
  cpuShares: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpusetCpus: '',
  cpusetMems: '',
  cgroupParent: '',
  ulimits: [],
};
