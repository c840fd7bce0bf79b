import { type ContainerConfig, type HostConfig, noLimits } from '../../src/engine/containers/config.ts';
import type { ContainerRecord } from '../../src/engine/containers/container.ts';
import type { LogEntries } from '../../src/engine/engine.ts';
import { parseLogRecords } from '../../src/runtime/logs/log-format.ts';

/** Containers as values, for tests of pure functions: everything at its default. */
export function containerConfig(changes: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    hostname: '',
    domainname: '',
    user: '',
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    tty: false,
    openStdin: false,
    stdinOnce: false,
    env: [],
    cmd: null,
    entrypoint: null,
    image: 'busybox',
    exposedPorts: [],
    volumes: [],
    workingDir: '',
    labels: {},
    ...changes,
  };
}

export function hostConfig(changes: Partial<HostConfig> = {}): HostConfig {
  return {
    ...noLimits,
    oomKillDisable: false,
    binds: [],
    mounts: [],
    tmpfs: {},
    volumesFrom: [],
    networkMode: 'default',
    portBindings: {},
    publishAllPorts: false,
    restartPolicy: { name: 'no', maximumRetryCount: 0 },
    autoRemove: false,
    volumeDriver: '',
    capAdd: [],
    capDrop: [],
    cgroupnsMode: 'host',
    dns: [],
    dnsOptions: [],
    dnsSearch: [],
    extraHosts: [],
    groupAdd: [],
    ipcMode: 'private',
    pidMode: '',
    utsMode: '',
    usernsMode: '',
    links: [],
    oomScoreAdj: 0,
    privileged: false,
    readonlyRootfs: false,
    securityOpt: [],
    shmSizeBytes: 67108864,
    sysctls: {},
    runtime: 'crun',
    logConfig: { type: 'local', config: {} },
    containerIdFile: '',
    annotations: {},
    ...changes,
  };
}

export function containerRecord(changes: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: 'a'.repeat(64),
    name: 'web',
    createdAtMs: 1_000,
    imageId: `sha256:${'b'.repeat(64)}`,
    platform: { os: 'linux', architecture: 'amd64' },
    config: containerConfig({ hostname: 'aaaaaaaaaaaa' }),
    hostConfig: hostConfig(),
    endpoints: {},
    mounts: [],
    path: 'sh',
    args: [],
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAtMs: 0,
      finishedAtMs: 0,
    },
    restartCount: 0,
    manuallyStopped: false,
    driver: 'overlay2',
    runtime: 'crun',
    ...changes,
  };
}

/** Captured output as the monitor writes it, read back: `<time> stdout F <text>` lines. */
export function logEntries(captured: string): LogEntries {
  return parseLogRecords(Buffer.from(captured)).records;
}
