/** moby.buildkit.v1: the control service, which builds are asked for and watched with. */
import { bool, bytes, int32, int64, mapOf, message, nested, repeated, single, string } from '../protobuf.ts';
import {
  definitionMessage,
  platformMessage,
  progressGroupMessage,
  rangeMessage,
  sourceInfoMessage,
} from './ops.ts';
import { service } from './service.ts';
import { statusMessage, timestampMessage } from './well-known.ts';

export const pruneRequest = message({
  filters: repeated(1, string),
  all: single(2, bool),
  /** Nanoseconds. */
  keepDuration: single(3, int64),
  reservedSpace: single(4, int64),
  maxUsedSpace: single(5, int64),
  minFreeSpace: single(6, int64),
});

export const usageRecord = message({
  id: single(1, string),
  mutable: single(2, bool),
  inUse: single(3, bool),
  size: single(4, int64),
  createdAt: nested(6, timestampMessage),
  lastUsedAt: nested(7, timestampMessage),
  usageCount: single(8, int64),
  description: single(9, string),
  recordType: single(10, string),
  shared: single(11, bool),
  parents: repeated(12, string),
});

const diskUsageRequest = message({ filters: repeated(1, string), ageLimit: single(2, int64) });
const diskUsageResponse = message({ records: repeated(1, usageRecord) });

/** `type` is `registry`, `local` or `inline`. */
export const cacheOptionsEntry = message({ type: single(1, string), attributes: mapOf(2, string) });

const cacheOptions = message({
  exports: repeated(4, cacheOptionsEntry),
  imports: repeated(5, cacheOptionsEntry),
});

export const exporterMessage = message({ type: single(1, string), attributes: mapOf(2, string) });

export const solveRequest = message({
  ref: single(1, string),
  definition: nested(2, definitionMessage),
  exporterDeprecated: single(3, string),
  exporterAttributesDeprecated: mapOf(4, string),
  session: single(5, string),
  frontend: single(6, string),
  frontendAttributes: mapOf(7, string),
  cache: nested(8, cacheOptions),
  entitlements: repeated(9, string),
  frontendInputs: mapOf(10, definitionMessage),
  /** Not to be recorded in the history. */
  internal: single(11, bool),
  /** A policy for sources; what is in it is not looked at, only whether there is one. */
  sourcePolicy: single(12, bytes),
  exporters: repeated(13, exporterMessage),
  enableSessionExporter: single(14, bool),
});

const solveResponse = message({ exporterResponse: mapOf(1, string) });

const statusRequest = message({ ref: single(1, string) });

export const vertexMessage = message({
  digest: single(1, string),
  inputs: repeated(2, string),
  name: single(3, string),
  cached: single(4, bool),
  started: nested(5, timestampMessage),
  completed: nested(6, timestampMessage),
  error: single(7, string),
  progressGroup: nested(8, progressGroupMessage),
});

export const vertexStatusMessage = message({
  id: single(1, string),
  vertex: single(2, string),
  name: single(3, string),
  current: single(4, int64),
  total: single(5, int64),
  timestamp: nested(6, timestampMessage),
  started: nested(7, timestampMessage),
  completed: nested(8, timestampMessage),
});

export const vertexLogMessage = message({
  vertex: single(1, string),
  timestamp: nested(2, timestampMessage),
  /** 1 stdout, 2 stderr. */
  stream: single(3, int64),
  data: single(4, bytes),
});

export const vertexWarningMessage = message({
  vertex: single(1, string),
  level: single(2, int64),
  short: single(3, bytes),
  detail: repeated(4, bytes),
  url: single(5, string),
  info: nested(6, sourceInfoMessage),
  ranges: repeated(7, rangeMessage),
});

export const statusResponse = message({
  vertexes: repeated(1, vertexMessage),
  statuses: repeated(2, vertexStatusMessage),
  logs: repeated(3, vertexLogMessage),
  warnings: repeated(4, vertexWarningMessage),
});

/** A piece of a byte stream. */
export const bytesMessage = message({ data: single(1, bytes) });

const buildkitVersion = message({
  package: single(1, string),
  version: single(2, string),
  revision: single(3, string),
});

const gcPolicy = message({
  all: single(1, bool),
  keepDuration: single(2, int64),
  reservedSpace: single(3, int64),
  filters: repeated(4, string),
  maxUsedSpace: single(5, int64),
  minFreeSpace: single(6, int64),
});

export const workerRecord = message({
  id: single(1, string),
  labels: mapOf(2, string),
  platforms: repeated(3, platformMessage),
  gcPolicies: repeated(4, gcPolicy),
  buildkitVersion: nested(5, buildkitVersion),
});

const listWorkersRequest = message({ filters: repeated(1, string) });
const listWorkersResponse = message({ records: repeated(1, workerRecord) });
const infoRequest = message({});
const infoResponse = message({ buildkitVersion: nested(1, buildkitVersion) });

export const historyRequest = message({
  activeOnly: single(1, bool),
  ref: single(2, string),
  earlyExit: single(3, bool),
  filters: repeated(4, string),
  limit: single(5, int32),
});

export const historyEventType = { started: 0, complete: 1, deleted: 2 } as const;

export const historyRecord = message({
  ref: single(1, string),
  frontend: single(2, string),
  frontendAttributes: mapOf(3, string),
  exporters: repeated(4, exporterMessage),
  error: nested(5, statusMessage),
  createdAt: nested(6, timestampMessage),
  completedAt: nested(7, timestampMessage),
  exporterResponse: mapOf(9, string),
  generation: single(12, int32),
  pinned: single(14, bool),
  numCachedSteps: single(15, int32),
  numTotalSteps: single(16, int32),
  numCompletedSteps: single(17, int32),
  numWarnings: single(19, int32),
});

export const historyEvent = message({ type: single(1, int32), record: nested(2, historyRecord) });

const updateHistoryRequest = message({
  ref: single(1, string),
  pinned: single(2, bool),
  delete: single(3, bool),
  finalize: single(4, bool),
});
const updateHistoryResponse = message({});

export const controlService = service('moby.buildkit.v1.Control', {
  diskUsage: ['DiskUsage', diskUsageRequest, diskUsageResponse],
  prune: ['Prune', pruneRequest, usageRecord],
  solve: ['Solve', solveRequest, solveResponse],
  status: ['Status', statusRequest, statusResponse],
  session: ['Session', bytesMessage, bytesMessage],
  listWorkers: ['ListWorkers', listWorkersRequest, listWorkersResponse],
  info: ['Info', infoRequest, infoResponse],
  listenBuildHistory: ['ListenBuildHistory', historyRequest, historyEvent],
  updateBuildHistory: ['UpdateBuildHistory', updateHistoryRequest, updateHistoryResponse],
});
