import { randomBytes } from 'node:crypto';
import { EngineError } from '../../stdx/errors.ts';
import type { Call } from '../call.ts';
import { buildRequestFromQuery, readJson } from '../convert/build-request.ts';
import { list, map, object, string } from '../go-json.ts';
import type { Exporter } from './exporters.ts';

/**
 * `POST /build?version=2`, by which Docker's clients before 23 ask for BuildKit: the files come by a session, the rest is
 * the classic request, and what happens is told as status messages in the answer's JSON.
 */

/** The client's files are on its session. */
const sessionRemote = 'client-session';
/** The context is a tar that comes by a request of its own, with `buildid=upload-request:<id of the build>`. */
export const uploadRemote = 'upload-request';

export interface OneRequest {
  ref: string;
  sessionId: string;
  options: ReadonlyMap<string, string>;
  exporters: Exporter[];
  entitlements: string[];
}

/** @throws EngineError `invalid`, `notImplemented` naming the parameter */
export function oneRequestOf(call: Call): OneRequest {
  const { query } = call;
  const sessionId = query.text('session');
  if (sessionId === '') throw new EngineError('invalid', 'building with BuildKit needs a session');
  const { request } = buildRequestFromQuery(query);
  const buildId = query.text('buildid');
  const remote = query.text('remote');
  const options = new Map<string, string>();
  const set = (name: string, value: string) => {
    if (value !== '') options.set(name, value);
  };
  set('filename', request.dockerfile);
  set('target', request.target);
  set('platform', request.platform);
  if (request.noCache) options.set('no-cache', '');
  if (request.pull) options.set('image-resolve-mode', 'pull');
  if (request.networkMode !== 'default') set('force-network-mode', request.networkMode);
  // `name:address`, and addresses may have colons of their own.
  set('add-hosts', request.extraHosts.map(host => host.replace(':', '=')).join(','));
  set('cgroup-parent', request.limits.cgroupParent);
  if (request.limits.shmSizeBytes > 0) set('shm-size', String(request.limits.shmSizeBytes));
  set('ulimit', request.limits.ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(','));
  for (const [name, value] of Object.entries(request.buildArgs)) {
    if (value !== null) options.set(`build-arg:${name}`, value);
  }
  for (const [name, value] of Object.entries(request.labels)) options.set(`label:${name}`, value);
  const imports = request.cacheFrom.map(({ type, attributes }) => ({ Type: type, Attrs: attributes }));
  if (imports.length > 0) options.set('cache-imports', JSON.stringify(imports));
  if (remote !== sessionRemote) set('context', remote);
  return {
    ref: buildId === '' ? randomBytes(16).toString('hex') : buildId,
    sessionId,
    options,
    exporters: exportersOf(call, request.tags),
    entitlements: request.entitlements,
  };
}

const output = object('ImageBuildOutput', { Type: string, Attrs: map(string) });

/** `outputs=[{"Type": "local", "Attrs": {}}]`; the image store without any. */
function exportersOf(call: Call, tags: readonly string[]): Exporter[] {
  const outputs = readJson(call.query, 'outputs', list(output)) ?? [];
  if (outputs.length === 0) outputs.push({ Type: 'moby', Attrs: {} });
  return outputs
    .filter(({ Type: type }) => type !== 'cacheonly')
    .map(({ Type: type, Attrs: attributes }) => {
      const given = new Map(Object.entries(attributes ?? {}));
      if (type !== 'local' && type !== 'tar' && tags.length > 0) given.set('name', tags.join(','));
      return { type: type ?? '', attributes: given };
    });
}
