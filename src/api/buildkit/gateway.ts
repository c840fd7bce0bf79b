/** moby.buildkit.v1.frontend: the bridge by which a client runs a frontend inside a build it has begun with Solve. */
import { bool, bytes, int32, int64, mapOf, message, nested, repeated, single, string } from '../protobuf.ts';
import { cacheOptionsEntry, workerRecord } from './control.ts';
import { statMessage } from './filesync.ts';
import {
  definitionMessage,
  platformMessage,
  rangeMessage,
  sourceInfoMessage,
  sourceOperationMessage,
} from './ops.ts';
import { service } from './service.ts';
import { statusMessage } from './well-known.ts';

export const refMessage = message({ id: single(1, string), definition: nested(2, definitionMessage) });
const refMapMessage = message({ refs: mapOf(1, refMessage) });

export const resultMessage = message({
  ref: nested(3, refMessage),
  refs: nested(4, refMapMessage),
  metadata: mapOf(10, bytes),
});

const capability = message({ id: single(1, string), enabled: single(2, bool) });

const pingResponse = message({
  frontendCapabilities: repeated(1, capability),
  llbCapabilities: repeated(2, capability),
  workers: repeated(3, workerRecord),
});

export const gatewaySolveRequest = message({
  definition: nested(1, definitionMessage),
  frontend: single(2, string),
  frontendOptions: mapOf(3, string),
  cacheImports: repeated(12, cacheOptionsEntry),
  frontendInputs: mapOf(13, definitionMessage),
  evaluate: single(14, bool),
  sourcePolicies: repeated(15, bytes),
});

const gatewaySolveResponse = message({ result: nested(3, resultMessage) });

const returnRequest = message({ result: nested(1, resultMessage), error: nested(2, statusMessage) });

const fileRange = message({ offset: single(1, int64), length: single(2, int64) });
const readFileRequest = message({
  ref: single(1, string),
  path: single(2, string),
  range: nested(3, fileRange),
});
const readFileResponse = message({ data: single(1, bytes) });
const readDirRequest = message({
  ref: single(1, string),
  path: single(2, string),
  includePattern: single(3, string),
});
const readDirResponse = message({ entries: repeated(1, statMessage) });
const statFileRequest = message({ ref: single(1, string), path: single(2, string) });
const statFileResponse = message({ stat: nested(1, statMessage) });

const evaluateRequest = message({ ref: single(1, string) });
const inputsResponse = message({ definitions: mapOf(1, definitionMessage) });

export const warnRequest = message({
  digest: single(1, string),
  level: single(2, int64),
  short: single(3, bytes),
  detail: repeated(4, bytes),
  url: single(5, string),
  info: nested(6, sourceInfoMessage),
  ranges: repeated(7, rangeMessage),
});

const resolveImageConfigRequest = message({
  ref: single(1, string),
  platform: nested(2, platformMessage),
  resolveMode: single(3, string),
  logName: single(4, string),
  resolverType: single(5, int32),
});
const resolveImageConfigResponse = message({
  digest: single(1, string),
  config: single(2, bytes),
  ref: single(3, string),
});

const resolveSourceMetaRequest = message({
  source: nested(1, sourceOperationMessage),
  platform: nested(2, platformMessage),
  logName: single(3, string),
  resolveMode: single(4, string),
});
const resolvedImage = message({ digest: single(1, string), config: single(2, bytes) });
const resolveSourceMetaResponse = message({
  source: nested(1, sourceOperationMessage),
  image: nested(2, resolvedImage),
});

const empty = message({});

export const gatewayService = service('moby.buildkit.v1.frontend.LLBBridge', {
  ping: ['Ping', empty, pingResponse],
  solve: ['Solve', gatewaySolveRequest, gatewaySolveResponse],
  return: ['Return', returnRequest, empty],
  evaluate: ['Evaluate', evaluateRequest, empty],
  readFile: ['ReadFile', readFileRequest, readFileResponse],
  readDir: ['ReadDir', readDirRequest, readDirResponse],
  statFile: ['StatFile', statFileRequest, statFileResponse],
  inputs: ['Inputs', empty, inputsResponse],
  warn: ['Warn', warnRequest, empty],
  resolveImageConfig: ['ResolveImageConfig', resolveImageConfigRequest, resolveImageConfigResponse],
  resolveSourceMeta: ['ResolveSourceMeta', resolveSourceMetaRequest, resolveSourceMetaResponse],
});

/** Says in a call's metadata to which Solve it belongs. */
export const buildIdHeader = 'buildkit-controlapi-buildid';
