import type { BuildRequest } from '../../build/request.ts';
import { EngineError } from '../../stdx/errors.ts';
import { decodeJson, int, list, map, object, type Shape, string, syntaxFault } from '../go-json.ts';
import type { Query } from '../query.ts';

/** What the query of `POST /build` says; context and credentials come from elsewhere. */
export interface PlannedBuild {
  request: Omit<BuildRequest, 'contextDirectory' | 'credentials'>;
  /** Nothing but the image's id is answered. */
  quiet: boolean;
  /** A URL the context is at; '': it is the body. */
  remote: string;
  /** The answer also says of every step why it was, or was not, taken from the cache. */
  explain: boolean;
}

/** Parameters the builder has nothing for. `rm` and `forcerm` are about containers between steps, of which there are none. */
const unsupported = ['outputs', 'session', 'buildid', 'securityopt', 'isolation'];

const buildKitOnly: ReadonlySet<string> = new Set(['outputs', 'session']);

const ulimits = list(object('Ulimit', { Name: string, Soft: int, Hard: int }));

/** This API shows one image's steps, one after the other. */
function onePlatform(text: string): string {
  if (!text.includes(',')) return text;
  throw new EngineError('invalid', `"${text}": invalid platform: want os[/arch[/variant]]`);
}

/** @throws EngineError `invalid`, `notImplemented` naming the parameter */
export function buildRequestFromQuery(query: Query): PlannedBuild {
  const isBuildKit = query.text('version') === '2';
  for (const name of unsupported) {
    const value = query.text(name);
    if (value === '' || value === '[]' || value === 'null' || value === 'default') continue;
    if (isBuildKit && buildKitOnly.has(name)) continue;
    // The client names every build, so that BuildKit could cancel it.
    if (name === 'buildid') continue;
    throw new EngineError('notImplemented', `build with ${name} is not supported`);
  }
  return {
    quiet: query.flag('q'),
    remote: query.text('remote'),
    explain: query.flag('explain'),
    request: {
      dockerfile: query.text('dockerfile'),
      contexts: {},
      tags: query.all('t').filter(tag => tag !== ''),
      buildArgs: buildArgs(query),
      labels: readJson(query, 'labels', map(string)) ?? {},
      target: query.text('target'),
      ...holdFailed(query.text('holdfailed')),
      noCache: query.flag('nocache'),
      noCacheStages: [],
      // The classic builder's `--network host` needs no permission.
      entitlements: ['network.host'],
      pull: query.flag('pull'),
      cacheFrom: (readJson(query, 'cachefrom', list(string)) ?? []).map(ref => ({
        type: 'registry' as const,
        attributes: { ref },
      })),
      cacheTo: [],
      squash: query.flag('squash'),
      networkMode: query.text('networkmode'),
      extraHosts: query
        .all('extrahosts')
        .flatMap(text => text.split(','))
        .filter(host => host !== ''),
      platform: onePlatform(query.text('platform')),
      limits: {
        shmSizeBytes: query.integer('shmsize') ?? 0,
        memoryBytes: query.integer('memory') ?? 0,
        memorySwapBytes: query.integer('memswap') ?? 0,
        cpuShares: query.integer('cpushares') ?? 0,
        cpuPeriodUs: query.integer('cpuperiod') ?? 0,
        cpuQuotaUs: query.integer('cpuquota') ?? 0,
        cpusetCpus: query.text('cpusetcpus'),
        cpusetMems: query.text('cpusetmems'),
        cgroupParent: query.text('cgroupparent'),
        ulimits: (readJson(query, 'ulimits', ulimits) ?? []).map(({ Name, Soft, Hard }) => ({
          name: Name ?? '',
          soft: Soft ?? 0,
          hard: Hard ?? 0,
        })),
      },
    },
  };
}

/** Who knows the token may enter the step: it is long, and nobody else's. */
export function holdFailed(token: string): { holdFailed?: string } {
  if (token === '') return {};
  if (/^[0-9a-f]{32,64}$/.test(token)) return { holdFailed: token };
  throw new EngineError('invalid', 'holdfailed: want 32 to 64 hex digits');
}

/** null is a value here: an argument the client has no value for. */
function buildArgs(query: Query): Record<string, string | null> {
  const text = query.text('buildargs');
  if (text === '') return {};
  let values: unknown;
  try {
    values = JSON.parse(text) ?? {};
  } catch (error) {
    const fault = syntaxFault(text, error as Error);
    throw new EngineError('invalid', `error reading build args: ${fault}`, { cause: error });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) throw badParameter('buildargs');
  for (const value of Object.values(values)) {
    if (value !== null && typeof value !== 'string') throw badParameter('buildargs');
  }
  return values as Record<string, string | null>;
}

export function readJson<T>(query: Query, name: string, shape: Shape<T>): T | undefined {
  const text = query.text(name);
  if (text === '' || text === 'null') return undefined;
  return decodeJson(text, shape, name);
}

function badParameter(name: string): EngineError {
  return new EngineError('invalid', `error reading ${name}: want an object of texts`);
}
