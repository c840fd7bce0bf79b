import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import type { RunMount } from '../dockerfile/instructions.ts';
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
  | { type: 'tmpfs'; target: string; sizeBytes?: number };

const allowed: Record<string, readonly string[]> = {
  bind: ['type', 'from', 'source', 'target', 'readonly', 'readwrite'],
  cache: ['type', 'from', 'source', 'target', 'readonly', 'readwrite', 'id', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['type', 'target', 'size', 'readwrite'],
};
const aliases: Record<string, string> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

/** @param expand expands variables of the image and ARGs. @throws EngineError `invalid`, `notImplemented` */
export function readMount(
  mount: RunMount,
  workingDirectory: string,
  expand: (word: string) => string,
): MountSpec {
  const fields = new Map<string, string>();
  for (const { key, value } of mount.fields)
    fields.set(aliases[key] ?? key, key === 'from' ? value : expand(value));
  const type = fields.get('type') ?? 'bind';
  if (type === 'secret' || type === 'ssh')
    throw new EngineError('notImplemented', `RUN --mount=type=${type} is not supported`);
  const known = allowed[type];
  if (known === undefined) throw new EngineError('invalid', `unsupported mount type "${type}"`);
  const unknown = [...fields.keys()].find(key => !known.includes(key));
  if (unknown !== undefined)
    throw new EngineError('invalid', `unexpected key '${unknown}' for mount type '${type}'`);
  const written = fields.get('target') ?? '';
  if (written === '') throw new EngineError('invalid', 'invalid mount: target is required');
  const target = posix.resolve('/', workingDirectory, written);
  if (target === '/') throw new EngineError('invalid', 'invalid mount target "/"');
  if (type === 'tmpfs') return { type, target, ...sizeOf(fields.get('size')) };
  const from = mount.from === undefined ? {} : { from: mount.from };
  const source = posix.resolve('/', fields.get('source') ?? '/');
  if (type === 'bind')
    return { type, ...from, source, target, readOnly: !boolean(fields, 'readwrite', false) };
  return {
    type: 'cache',
    id: fields.get('id') ?? target,
    ...from,
    source,
    target,
    readOnly: boolean(fields, 'readonly', false),
    sharing: sharing(fields.get('sharing')),
    permissions: octal(fields.get('mode')),
    uid: number(fields.get('uid'), 'uid'),
    gid: number(fields.get('gid'), 'gid'),
  };
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

function octal(value = '0755'): number {
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
