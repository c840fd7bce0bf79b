import type { BuildPruneResponse, FailedStep } from '../api/build.ts';
import type {
  CommitResponse,
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerEditRequest,
  ContainerEditResponse,
  ContainerInspect,
  ContainerPruneResponse,
  ContainerStats,
  ContainerSummary,
  ContainerTop,
  ContainerUpdateRequest,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  FilesystemChange,
} from '../api/containers.ts';
import type { NetworkEgress, NetworkEgressRequest } from '../api/egress.ts';
import type { EventMessage } from '../api/events.ts';
import type { ExecCreateRequest, ExecCreateResponse, ExecInspect, ExecStartRequest } from '../api/exec.ts';
import type {
  AuthResponse,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSearchItem,
  ImageSummary,
  ProgressMessage,
  RegistryAuth,
} from '../api/images.ts';
import type {
  Network,
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkPruneResponse,
} from '../api/networks.ts';
import type { ScheduleRun, ScheduleSummary } from '../api/schedules.ts';
import type { Secret, SecretCreateResponse, SecretSpec } from '../api/secrets.ts';
import type { DiskUsageResponse, SystemInfo, VersionResponse } from '../api/system.ts';
import type { TraceResponse } from '../api/trace.ts';
import type {
  Volume,
  VolumeCloneRequest,
  VolumeCreateRequest,
  VolumeListResponse,
  VolumePruneResponse,
  VolumeSnapshot,
} from '../api/volumes.ts';
import type { WhyResponse } from '../api/why.ts';
import type { Operation } from './operation.ts';

/** Every operation the client knows; how each is asked for and answered is in its type. */
export const containerOperations = {
  list: get<ContainerSummary[], 'all' | 'limit' | 'size' | 'filters'>()('/containers/json'),
  create: post<ContainerCreateResponse, ContainerCreateRequest, 'name' | 'platform'>()('/containers/create'),
  inspect: get<ContainerInspect, 'size'>()('/containers/{id}/json'),
  start: post<never, never, 'detachKeys'>()('/containers/{id}/start'),
  stop: post<never, never, 't' | 'signal'>()('/containers/{id}/stop'),
  restart: post<never, never, 't' | 'signal'>()('/containers/{id}/restart'),
  kill: post<never, never, 'signal'>()('/containers/{id}/kill'),
  pause: post<never, never>()('/containers/{id}/pause'),
  unpause: post<never, never>()('/containers/{id}/unpause'),
  rename: post<never, never, 'name'>()('/containers/{id}/rename'),
  remove: remove<never, 'force' | 'v' | 'link'>()('/containers/{id}'),
  wait: post<ContainerWaitResponse, never, 'condition'>()('/containers/{id}/wait'),
  update: post<ContainerUpdateResponse, ContainerUpdateRequest>()('/containers/{id}/update'),
  /** Gantry's own: changes a container in place. */
  edit: post<ContainerEditResponse, ContainerEditRequest, 'dry-run' | 'wait-healthy'>()(
    '/gantry/containers/{id}/edit',
  ),
  /** Gantry's own: what is wrong with a container. */
  why: get<WhyResponse, 'port' | 'resolve' | 'reach'>()('/gantry/containers/{id}/why'),
  /** Gantry's own: its packets, as a pcap file that grows. */
  capture: get<never, 'interface' | 'network' | 'host' | 'port' | 'count' | 'snap-length'>()(
    '/gantry/containers/{id}/capture',
  ),
  /** Gantry's own: the way from a container to an address. */
  trace: get<TraceResponse, 'to' | 'protocol'>()('/gantry/containers/{id}/trace'),
  attach: post<never, never, 'stream' | 'stdin' | 'stdout' | 'stderr' | 'logs' | 'detachKeys'>()(
    '/containers/{id}/attach',
  ),
  resize: post<never, never, 'h' | 'w'>()('/containers/{id}/resize'),
  logs: get<never, 'stdout' | 'stderr' | 'since' | 'until' | 'timestamps' | 'follow' | 'tail' | 'details'>()(
    '/containers/{id}/logs',
  ),
  top: get<ContainerTop, 'ps_args'>()('/containers/{id}/top'),
  stats: get<ContainerStats, 'stream' | 'one-shot'>()('/containers/{id}/stats'),
  changes: get<FilesystemChange[] | null>()('/containers/{id}/changes'),
  export: get<never>()('/containers/{id}/export'),
  statPath: head<'path'>()('/containers/{id}/archive'),
  readArchive: get<never, 'path'>()('/containers/{id}/archive'),
  writeArchive: put<'path' | 'noOverwriteDirNonDir' | 'copyUIDGID'>()('/containers/{id}/archive'),
  commit: post<
    CommitResponse,
    Partial<ContainerConfig>,
    'container' | 'repo' | 'tag' | 'comment' | 'author' | 'pause' | 'changes'
  >()('/commit'),
  prune: post<ContainerPruneResponse, never, 'filters'>()('/containers/prune'),
  execCreate: post<ExecCreateResponse, ExecCreateRequest>()('/containers/{id}/exec'),
  execStart: post<never, ExecStartRequest>()('/exec/{id}/start'),
  execInspect: get<ExecInspect>()('/exec/{id}/json'),
  execResize: post<never, never, 'h' | 'w'>()('/exec/{id}/resize'),
};

/** Gantry's own. */
export const scheduleOperations = {
  list: get<ScheduleSummary[]>()('/gantry/schedules'),
  runs: get<ScheduleRun[], 'limit'>()('/gantry/containers/{id}/schedule/runs'),
  run: post<never, never>()('/gantry/containers/{id}/schedule/run'),
  pause: post<never, never>()('/gantry/containers/{id}/schedule/pause'),
  resume: post<never, never>()('/gantry/containers/{id}/schedule/resume'),
};

export const imageOperations = {
  list: get<ImageSummary[], 'all' | 'filters' | 'digests' | 'shared-size' | 'manifests'>()('/images/json'),
  inspect: get<ImageInspect, 'platform' | 'manifests'>()('/images/{name}/json'),
  history: get<ImageHistoryItem[], 'platform'>()('/images/{name}/history'),
  pull: post<ProgressMessage, never, 'fromImage' | 'tag' | 'platform'>()('/images/create'),
  import: post<ProgressMessage, never, 'fromSrc' | 'repo' | 'tag' | 'message' | 'changes' | 'platform'>()(
    '/images/create',
  ),
  push: post<ProgressMessage, never, 'tag' | 'platform'>()('/images/{name}/push'),
  tag: post<never, never, 'repo' | 'tag'>()('/images/{name}/tag'),
  remove: remove<ImageDeleteItem[], 'force' | 'noprune' | 'platforms'>()('/images/{name}'),
  save: get<never, 'names' | 'platform'>()('/images/get'),
  load: post<ProgressMessage, never, 'quiet' | 'platform'>()('/images/load'),
  inspectInRegistry: get<{ Descriptor: { digest: string } }>()('/distribution/{name}/json'),
  search: get<ImageSearchItem[], 'term' | 'limit' | 'filters'>()('/images/search'),
  prune: post<ImagePruneResponse, never, 'filters'>()('/images/prune'),
  build: post<ProgressMessage, never, string>()('/build'),
  pruneBuildCache: post<
    BuildPruneResponse,
    never,
    'all' | 'keep-storage' | 'max-used-space' | 'min-free-space' | 'filters'
  >()('/build/prune'),
  /** Gantry's own: a base image from the distribution's packages. */
  bootstrap: post<ProgressMessage, never, 'image'>()('/gantry/images/bootstrap'),
};

/** Gantry's own: the step that a build asked with a token waits in. */
export const failedStepOperations = {
  wait: get<FailedStep>()('/gantry/failed-steps/{token}'),
  enter: post<never, never, 'h' | 'w' | 'cmd'>()('/gantry/failed-steps/{token}/enter'),
  resize: post<never, never, 'h' | 'w'>()('/gantry/failed-steps/{token}/resize'),
};

export const networkOperations = {
  list: get<Network[], 'filters'>()('/networks'),
  create: post<NetworkCreateResponse, NetworkCreateRequest>()('/networks/create'),
  inspect: get<Network, 'verbose' | 'scope'>()('/networks/{id}'),
  remove: remove<never>()('/networks/{id}'),
  connect: post<never, NetworkConnectRequest>()('/networks/{id}/connect'),
  disconnect: post<never, NetworkDisconnectRequest>()('/networks/{id}/disconnect'),
  prune: post<NetworkPruneResponse, never, 'filters'>()('/networks/prune'),
  /** Gantry's own: everything that goes by on a network's bridge, as a pcap file that grows. */
  capture: get<never, 'host' | 'port' | 'count' | 'snap-length'>()('/gantry/networks/{id}/capture'),
  /** Gantry's own: what containers of a network may reach outside. */
  egress: get<NetworkEgress>()('/gantry/networks/{id}/egress'),
  changeEgress: post<NetworkEgress, NetworkEgressRequest>()('/gantry/networks/{id}/egress'),
};

export const volumeOperations = {
  list: get<VolumeListResponse, 'filters'>()('/volumes'),
  create: post<Volume, VolumeCreateRequest>()('/volumes/create'),
  inspect: get<Volume>()('/volumes/{name}'),
  remove: remove<never, 'force'>()('/volumes/{name}'),
  prune: post<VolumePruneResponse, never, 'filters'>()('/volumes/prune'),
  rename: post<never, never, 'name'>()('/gantry/volumes/{name}/rename'),
  clone: post<Volume, VolumeCloneRequest, 'pause'>()('/gantry/volumes/{name}/clone'),
  export: get<never>()('/gantry/volumes/{name}/export'),
  import: post<Volume, never>()('/gantry/volumes/{name}/import'),
  snapshots: get<VolumeSnapshot[]>()('/gantry/volumes/{name}/snapshots'),
  snapshot: post<VolumeSnapshot, never, 'name' | 'pause'>()('/gantry/volumes/{name}/snapshots'),
  removeSnapshot: remove<never>()('/gantry/volumes/{name}/snapshots/{snapshot}'),
  restore: post<never, never>()('/gantry/volumes/{name}/snapshots/{snapshot}/restore'),
};

export const secretOperations = {
  list: get<Secret[], 'filters'>()('/secrets'),
  create: post<SecretCreateResponse, SecretSpec>()('/secrets/create'),
  inspect: get<Secret>()('/secrets/{id}'),
  remove: remove<never>()('/secrets/{id}'),
};

export const systemOperations = {
  version: get<VersionResponse>()('/version'),
  info: get<SystemInfo>()('/info'),
  diskUsage: get<DiskUsageResponse, 'type'>()('/system/df'),
  events: get<EventMessage, 'since' | 'until' | 'filters'>()('/events'),
  auth: post<AuthResponse, RegistryAuth>()('/auth'),
};

// Two calls each, so that the path's own type is inferred while answer, body and query are given.

function get<Answer, Query extends string = never>() {
  return <P extends string>(path: P): Operation<P, Answer, never, Query> => ({ method: 'GET', path });
}

function head<Query extends string = never>() {
  return <P extends string>(path: P): Operation<P, never, never, Query> => ({ method: 'HEAD', path });
}

function post<Answer, Body, Query extends string = never>() {
  return <P extends string>(path: P): Operation<P, Answer, Body, Query> => ({ method: 'POST', path });
}

function put<Query extends string = never>() {
  return <P extends string>(path: P): Operation<P, never, never, Query> => ({ method: 'PUT', path });
}

function remove<Answer, Query extends string = never>() {
  return <P extends string>(path: P): Operation<P, Answer, never, Query> => ({ method: 'DELETE', path });
}
