import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import type { RunMount } from '../dockerfile/instructions.ts';
import type { ExecutorMount, FileOwner } from '../executor.ts';
import { parseMode } from './mode.ts';

/** One --mount of a RUN, expanded and checked. */
export type MountSpec =
  | { type: 'bind'; from?: string; source: string; target: string; readOnly: boolean }
  | {
      type: 'cache';
      id: string;
      from?: string;
      source: string;
      target: string;
      readOnly: boolean;
      sharing: 'shared' | 'private' | 'locked';
      permissions: number;
      uid: number;
      gid: number;
    }
  | { type: 'tmpfs'; target: string; sizeBytes?: number; readOnly: boolean }
  | ({
      type: 'secret';
      id: string;
      required: boolean;
      /** A file there; undefined: the variable only. */
      target?: string;
      /** A variable with its content. */
      env?: string;
    } & FileOwner)
  | ({ type: 'ssh'; id: string; required: boolean; target: string } & FileOwner);

const allowed: Record<string, readonly string[]> = {
  bind: ['type', 'from', 'source', 'target', 'readonly', 'readwrite'],
  cache: ['type', 'from', 'source', 'target', 'readonly', 'readwrite', 'id', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['type', 'target', 'size', 'readonly', 'readwrite'],
  secret: ['type', 'id', 'source', 'target', 'required', 'mode', 'uid', 'gid', 'env'],
  ssh: ['type', 'id', 'target', 'required', 'mode', 'uid', 'gid'],
};
const aliases: Record<string, string> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

/** All --mounts of a RUN. @param expand expands variables of the image and ARGs. @throws EngineError `invalid` */
export function readMounts(
  mounts: readonly RunMount[],
  workingDirectory: string,
  expand: (word: string) => string,
): MountSpec[] {
  let agents = 0;
  return mounts.map(mount => {
    const spec = readMount(mount, workingDirectory, expand);
    if (spec.type !== 'ssh') return spec;
    const number = agents++;
    return spec.target === '' ? { ...spec, target: `/run/buildkit/ssh_agent.${number}` } : spec;
  });
}

/**
 * As BuildKit has it: of what has the same target the last is there, and files of secrets and agents come after all else;
 * what is further out is mounted first.
 */
export function arrangeMounts(mounts: readonly ExecutorMount[]): ExecutorMount[] {
  const isFile = ({ type }: ExecutorMount): boolean => type === 'secret' || type === 'agent';
  const ordered = [...mounts.filter(mount => !isFile(mount)), ...mounts.filter(isFile)];
  const last = new Map(ordered.map(mount => [mount.target, mount]));
  const depthOf = ({ target }: ExecutorMount): number => target.split('/').length;
  return [...last.values()].sort((a, b) => depthOf(a) - depthOf(b));
}

function readMount(mount: RunMount, workingDirectory: string, expand: (word: string) => string): MountSpec {
  const fields = new Map<string, string>();
  for (const { key, value } of mount.fields)
    fields.set(aliases[key] ?? key, key === 'from' ? value : expand(value));
  const type = fields.get('type') ?? 'bind';
  const known = allowed[type];
  if (known === undefined) throw new EngineError('invalid', `unsupported mount type "${type}"`);
  const unknown = [...fields.keys()].find(key => !known.includes(key));
  if (unknown !== undefined) throw unexpectedKey(unknown, type);
  if (type === 'secret') return readSecret(fields);
  if (type === 'ssh') return readAgent(fields);
  const written = fields.get('target') ?? '';
  // Without a target it is the working directory.
  const target = posix.resolve('/', workingDirectory, written);
  if (target === '/') throw new EngineError('invalid', 'invalid mount target "/"');
  if (type === 'tmpfs')
    return { type, target, ...sizeOf(fields.get('size')), readOnly: boolean(fields, 'readonly', false) };
  const from = mount.from === undefined ? {} : { from: mount.from };
  const source = posix.resolve('/', fields.get('source') ?? '/');
  if (type === 'bind')
    return { type, ...from, source, target, readOnly: !boolean(fields, 'readwrite', false) };
  return {
    type: 'cache',
    id: fields.get('id') || posix.normalize(written || '.'),
    ...from,
    source,
    target,
    readOnly: boolean(fields, 'readonly', false),
    sharing: sharing(fields.get('sharing')),
    ...ownerOf(fields, '0755'),
  };
}

/** Without `env` it is a file, by default in /run/secrets; with it, only where there is a target too. */
function readSecret(fields: Map<string, string>): MountSpec {
  const [source = '', named = ''] = [fields.get('source'), fields.get('id')];
  const [target = '', env = ''] = [fields.get('target'), fields.get('env')];
  if (source !== '' && named !== '') throw new EngineError('invalid', "both source and id can't be set");
  const id = source || named || posix.basename(target);
  if (id === '') throw new EngineError('invalid', 'invalid secret mount. one of source, target required');
  const file = target || (env === '' ? `/run/secrets/${posix.basename(id)}` : '');
  return {
    type: 'secret',
    id,
    required: boolean(fields, 'required', false),
    ...(file === '' ? {} : { target: posix.resolve('/', file) }),
    ...(env === '' ? {} : { env }),
    ...ownerOf(fields, '0400'),
  };
}

/** A missing target is filled in by readMounts. */
function readAgent(fields: Map<string, string>): MountSpec {
  const target = fields.get('target') ?? '';
  return {
    type: 'ssh',
    id: fields.get('id') || 'default',
    required: boolean(fields, 'required', false),
    target: target === '' ? '' : posix.resolve('/', target),
    ...ownerOf(fields, '0600'),
  };
}

function ownerOf(fields: Map<string, string>, mode: string): FileOwner {
  return {
    permissions: octal(fields.get('mode') ?? mode),
    uid: number(fields.get('uid'), 'uid'),
    gid: number(fields.get('gid'), 'gid'),
  };
}

function unexpectedKey(key: string, type: string): EngineError {
  const owned = ['mode', 'uid', 'gid'].includes(key);
  const message = owned
    ? `${key} not allowed for "${type}" type mounts`
    : `unexpected key '${key}' for mount type '${type}'`;
  return new EngineError('invalid', message);
}

function boolean(fields: Map<string, string>, name: string, missing: boolean): boolean {
  const value = fields.get(name);
  if (value === undefined) return missing;
  if (['true', '1', 't'].includes(value.toLowerCase())) return true;
  if (['false', '0', 'f'].includes(value.toLowerCase())) return false;
  throw new EngineError('invalid', `invalid value for ${name}: ${value}`);
}

function sharing(value = 'shared'): 'shared' | 'private' | 'locked' {
  if (value === 'shared' || value === 'private' || value === 'locked') return value;
  throw new EngineError('invalid', `unsupported sharing value "${value}"`);
}

function octal(value: string): number {
  const mode = parseMode(value);
  if (typeof mode === 'number') return mode;
  throw new EngineError('invalid', `invalid value ${value} for mode`);
}

function number(value: string | undefined, name: string): number {
  if (value === undefined) return 0;
  if (/^[0-9]{1,10}$/.test(value)) return Number(value);
  throw new EngineError('invalid', `invalid value ${value} for ${name}`);
}

/** Docker's byte sizes: `64m`, `1g`, `4096`. */
function sizeOf(value: string | undefined): { sizeBytes?: number } {
  if (value === undefined) return {};
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(value);
  if (match === null) throw new EngineError('invalid', `invalid value for size: ${value}`);
  const power = ['', 'k', 'm', 'g', 't'].indexOf(match[2]!.toLowerCase());
  return { sizeBytes: Math.floor(Number(match[1]) * 1024 ** power) };
}
