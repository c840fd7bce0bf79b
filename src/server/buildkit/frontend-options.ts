import type { AttestationRequest } from '../../build/attest/options.ts';
import type { BuildRequest, CacheEndpoint } from '../../build/request.ts';
import { EngineError } from '../../stdx/errors.ts';
import { holdFailed } from '../convert/build-request.ts';
import { readAttestations } from './attestation-options.ts';

/** Where a build's files come from, as its options say it. */
export interface FrontendContext {
  /** A URL; '' when the client has the context, under the name `contextKey`. */
  remote: string;
  contextKey: string;
  dockerfileKey: string;
  /** The client has the Dockerfile though the context is elsewhere. */
  dockerfileIsApart: boolean;
  /** Path of the Dockerfile in what the client offers as `dockerfileKey`. */
  filename: string;
  /** Sessions of their own that some of the client's directories are offered on, by the directory's name. */
  sessions: Map<string, string>;
  /** `--build-context`, as written: `local:name`, `docker-image://…`, `input:…`, a URL. */
  named: Map<string, string>;
}

export interface FrontendPlan {
  request: Omit<
    BuildRequest,
    'contextDirectory' | 'credentials' | 'dockerfile' | 'contexts' | 'tags' | 'entitlements' | 'cacheTo'
  >;
  context: FrontendContext;
  attestations: AttestationRequest;
  /** `frontend.lint` and the like, instead of a build; '' for a build. */
  subrequest: string;
  /** Gantry's own: every step says why it was or was not found in the cache. */
  explain: boolean;
}

/** Options that change nothing of the result here. */
const immaterial = new Set([
  // What the client can do, and asks whether we can: we do, or refuse by name below.
  'frontend.caps',
  'requestid',
  // Taken from `cache-imports`, which says the same in full.
  'cache-from',
  // The dockerfile frontend is part of the daemon: see frontend.ts.
  'source',
  'cmdline',
]);

const knownPrefix = /^(attest|build-arg|label|context|vcs|input|local-sessionid):/;

/** @throws EngineError `notImplemented` for an option that is not known, by its name */
export function planFrontend(options: ReadonlyMap<string, string>): FrontendPlan {
  const text = (name: string) => options.get(name) ?? '';
  refuseUnknown(options);
  const noCache = options.get('no-cache');
  const platform = text('platform');
  return {
    subrequest: text('requestid'),
    explain: text('gantry.explain') === '1',
    attestations: readAttestations(options),
    context: {
      remote: text('context'),
      contextKey: text('contextkey') || 'context',
      dockerfileKey: text('dockerfilekey') || 'dockerfile',
      dockerfileIsApart: options.has('dockerfilekey'),
      filename: text('filename') || 'Dockerfile',
      sessions: withPrefix(options, 'local-sessionid:'),
      named: withPrefix(options, 'context:'),
    },
    request: {
      buildArgs: Object.fromEntries(
        [...withPrefix(options, 'build-arg:')].filter(([name]) => !name.startsWith('BUILDKIT_ATTEST_')),
      ),
      asBuildKit: true,
      labels: Object.fromEntries(withPrefix(options, 'label:')),
      target: text('target'),
      ...holdFailed(text('gantry.hold-failed')),
      noCache: noCache === '',
      noCacheStages: noCache === undefined || noCache === '' ? [] : noCache.split(','),
      pull: text('image-resolve-mode') === 'pull',
      namesOnly: true,
      cacheFrom: cacheImports(text('cache-imports')),
      squash: false,
      networkMode: text('force-network-mode') || 'default',
      // `name=address`, several with commas.
      extraHosts: text('add-hosts')
        .split(',')
        .filter(host => host !== '')
        .map(host => host.replace('=', ':')),
      platform,
      ...multiPlatform(options, platform),
      ...commitTime(text('gantry.commit-time')),
      limits: {
        shmSizeBytes: numberOf('shm-size', text('shm-size')),
        memoryBytes: 0,
        memorySwapBytes: 0,
        cpuShares: 0,
        cpuPeriodUs: 0,
        cpuQuotaUs: 0,
        cpusetCpus: '',
        cpusetMems: '',
        cgroupParent: text('cgroup-parent'),
        ulimits: ulimits(text('ulimit')),
      },
    },
  };
}

const known = new Set([
  'add-hosts',
  'cache-imports',
  'cgroup-parent',
  'context',
  'contextkey',
  'dockerfilekey',
  'filename',
  'force-network-mode',
  'gantry.commit-time',
  'gantry.explain',
  'gantry.hold-failed',
  'image-resolve-mode',
  'multi-platform',
  'no-cache',
  'platform',
  'shm-size',
  'target',
  'ulimit',
]);

/** In seconds. */
function commitTime(text: string): Pick<BuildRequest, 'commitTimeMs'> {
  if (text === '') return {};
  if (!/^\d{1,12}$/.test(text)) throw new EngineError('invalid', `invalid gantry.commit-time: ${text}`);
  return { commitTimeMs: Number(text) * 1000 };
}

/** Said by an option, or by a build argument: the result is an index. */
function multiPlatform(
  options: ReadonlyMap<string, string>,
  platform: string,
): Pick<BuildRequest, 'multiPlatform'> {
  const text = options.get('build-arg:BUILDKIT_MULTI_PLATFORM') || options.get('multi-platform') || '';
  if (text === '') return {};
  if (!/^(1|t|true|0|f|false)$/i.test(text))
    throw new EngineError('invalid', `invalid boolean value for multi-platform: ${text}`);
  const wanted = /^(1|t|true)$/i.test(text);
  if (!wanted && platform.includes(',')) {
    const message = 'conflicting config: returning multiple target platforms is not allowed';
    throw new EngineError('invalid', message);
  }
  return { multiPlatform: wanted };
}

function refuseUnknown(options: ReadonlyMap<string, string>): void {
  for (const name of options.keys()) {
    if (known.has(name) || immaterial.has(name) || knownPrefix.test(name)) continue;
    throw new EngineError('notImplemented', `build with ${name} is not supported`);
  }
}

function withPrefix(options: ReadonlyMap<string, string>, prefix: string): Map<string, string> {
  return new Map(
    [...options]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

/** JSON of `[{"Type": "registry", "Attrs": {"ref": "…"}}]` */
function cacheImports(text: string): CacheEndpoint[] {
  if (text === '') return [];
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalid', `cache-imports is no JSON: ${text}`, { cause: error });
  }
  if (!Array.isArray(entries)) throw new EngineError('invalid', `cache-imports is no list: ${text}`);
  return entries.map(({ Type: type, Attrs: attributes }) =>
    cacheEndpoint(String(type), new Map(Object.entries((attributes ?? {}) as Record<string, string>))),
  );
}

/** @throws EngineError `notImplemented` for a kind of cache there is nothing for */
export function cacheEndpoint(type: string, attributes: ReadonlyMap<string, string>): CacheEndpoint {
  if (type !== 'registry' && type !== 'inline' && type !== 'local') {
    throw new EngineError('notImplemented', `a build cache of type ${type} is not supported`);
  }
  return { type, attributes: Object.fromEntries(attributes) };
}

function numberOf(name: string, text: string): number {
  if (text === '') return 0;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new EngineError('invalid', `invalid ${name}: ${text}`);
  return value;
}

/** `nofile=1024:2048,nproc=3` */
function ulimits(text: string): BuildRequest['limits']['ulimits'] {
  return text
    .split(',')
    .filter(one => one !== '')
    .map(one => {
      const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(one);
      if (match === null) throw new EngineError('invalid', `invalid ulimit: ${one}`);
      const [, name = '', soft, hard = soft] = match;
      return { name, soft: Number(soft), hard: Number(hard) };
    });
}
