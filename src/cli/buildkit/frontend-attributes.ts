import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { variablesBeside } from '../config/proxies.ts';
import { argument } from '../container-options/argument.ts';
import { parseUlimit } from '../container-options/resources.ts';
import type { FlagValues } from '../flags.ts';
import { checkReference } from '../references.ts';
import { readAttributes, splitFields } from './attributes.ts';
import { FlagFault } from './faults.ts';

/** What the flags say to the Dockerfile frontend. @throws EngineError `invalid` in buildx's words */
export async function planAttributes({ session, flags }: Call): Promise<Record<string, string>> {
  const { env } = session;
  for (const tag of flags.list('tag')) checkTag(tag);
  const buildArgs = [...flags.list('build-arg')];
  if (env['SOURCE_DATE_EPOCH'] && !buildArgs.some(text => /^SOURCE_DATE_EPOCH(=|$)/.test(text)))
    buildArgs.push('SOURCE_DATE_EPOCH');
  buildArgs.push(...variablesBeside(buildArgs, await session.proxyVariables()));
  const attributes: Record<string, string> = {
    ...prefixed('build-arg:', buildArgs, env),
    ...prefixed('label:', flags.list('label')),
  };
  const set = (name: string, value: string): void => {
    if (value !== '') attributes[name] = value;
  };
  set('target', flags.string('target'));
  const platforms = flags.list('platform').join(',') || (env['DOCKER_DEFAULT_PLATFORM'] ?? '');
  set('platform', platforms);
  set('image-resolve-mode', flags.on('pull') ? 'pull' : '');
  set('add-hosts', flags.list('add-host').map(hostOf).join(','));
  set('cgroup-parent', flags.string('cgroup-parent'));
  set('force-network-mode', networkOf(flags.string('network')));
  if (flags.changed('shm-size')) set('shm-size', String(flags.bytes('shm-size')));
  const ulimits = flags.list('ulimit').map(text => argument('--ulimit', text, () => parseUlimit(text)));
  set('ulimit', ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`).join(','));
  const stages = flags.list('no-cache-filter');
  if (flags.on('no-cache') && stages.length > 0) {
    const message = '--no-cache and --no-cache-filter cannot currently be used together';
    throw new EngineError('invalid', message);
  }
  if (flags.on('no-cache')) attributes['no-cache'] = '';
  else set('no-cache', stages.join(','));
  return attributes;
}

/** What RUN may do beyond the ordinary; the host's network also by `--network host`. */
export function planEntitlements(flags: FlagValues): string[] {
  const allowed = flags.list('allow').flatMap(text => text.split(','));
  const unknown = allowed.find(name => name !== 'network.host' && name !== 'security.insecure');
  if (unknown !== undefined) throw new EngineError('invalid', `unknown entitlement ${unknown}`);
  return [...new Set([...allowed, ...(flags.string('network') === 'host' ? ['network.host'] : [])])];
}

/**
 * `--attest type=provenance,mode=min` and its shorthands, `--provenance=mode=min` and `--sbom`, as `attest:provenance`; those that are
 * disabled are not asked for. @throws EngineError `invalid` in buildx's words
 */
export function planAttestations(flags: FlagValues): Record<string, string> {
  const asked = [...flags.list('attest')];
  for (const name of ['provenance', 'sbom'] as const) {
    const value = flags.given(name) ?? '';
    const isBoolean = /^(1|t|true|0|f|false)$/i.test(value);
    if (value !== '') asked.push(`type=${name},${isBoolean ? `disabled=${/^(0|f)/i.test(value)}` : value}`);
  }
  const attributes: Record<string, string> = {};
  const seen = new Set<string>();
  for (const text of asked) {
    const { type = '', disabled = 'false', ...others } = readAttributes(splitFields(text));
    if (type === '') throw new EngineError('invalid', 'attestation type not specified');
    if (seen.has(type)) throw new EngineError('invalid', `duplicate attestation field ${type}`);
    seen.add(type);
    if (/^(|1|t|true)$/i.test(disabled)) continue;
    const fields = Object.entries(others).map(([key, value]) => `${key}=${value}`);
    attributes[`attest:${type}`] = fields.join(',');
  }
  return attributes;
}

function checkTag(tag: string): void {
  try {
    checkReference(tag);
  } catch (error) {
    const lower = /must be lowercase/.test(messageOf(error));
    const reason = lower ? 'repository name must be lowercase' : 'invalid reference format';
    throw new EngineError('invalid', `invalid tag ${JSON.stringify(tag)}: ${reason}`, { cause: error });
  }
}

/** A name alone takes its value from the environment, if it has one there. */
function prefixed(
  prefix: string,
  texts: readonly string[],
  env?: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === '') throw new FlagFault(`invalid key-value pair ${JSON.stringify(text)}: empty key`);
    const value = equals < 0 ? (env === undefined ? '' : env[name]) : text.slice(equals + 1);
    if (value !== undefined) attributes[prefix + name] = value;
  }
  return attributes;
}

/** `host:address` or `host=address` as `host=address`. */
function hostOf(text: string): string {
  const match = /^([^:=]+)[:=](.+)$/.exec(text);
  if (match === null) throw new EngineError('invalid', `invalid host ${text}`);
  const address = match[2]!.replace(/^\[(.*)\]$/, '$1');
  return `${match[1]}=${address}`;
}

function networkOf(mode: string): string {
  if (mode === '' || mode === 'default') return '';
  if (mode === 'host' || mode === 'none') return mode;
  const message = `network mode ${JSON.stringify(mode)} not supported by buildkit - you can define a custom network for your builder using the network driver-opt in buildx create`;
  throw new EngineError('invalid', message);
}
