import { posix } from 'node:path';
import { entryOf, mapping, type Node, scalar, textOf } from '../node.ts';
import { labels, object, valueText } from './collections.ts';
import {
  byteSize,
  fileMode,
  flag,
  givenByteSize,
  numericMode,
  oneOf,
  resolvePath,
  text,
  whole,
} from './scalars.ts';
import { fault, isOpen, type Notation, type Reading, type Shape } from './shape.ts';

const mount = object(
  {
    type: oneOf('bind', 'volume', 'tmpfs', 'cluster', 'npipe', 'image'),
    source: text,
    target: text,
    read_only: flag,
    consistency: text,
    bind: object(
      {
        selinux: oneOf('z', 'Z'),
        propagation: text,
        create_host_path: flag,
        recursive: oneOf('enabled', 'disabled', 'writable', 'readonly'),
      },
      { keepsEmpty: true },
    ),
    volume: object({ labels, nocopy: flag, subpath: text }, { keepsEmpty: true }),
    tmpfs: object({ size: givenByteSize, mode: numericMode }, { keepsEmpty: true }),
    image: object({ subpath: text }, { keepsEmpty: true }),
  },
  { required: ['type'] },
);

/** A mount of a service: `[SOURCE:]TARGET[:OPTION,...]` or an object. */
export const serviceMount: Shape = {
  ...mount,
  canonical(node, path, reading) {
    if (isOpen(node, reading)) return node;
    const written = textOf(node);
    const long = written === undefined ? node : fromText(written, node, path);
    if (long.kind !== 'mapping') throw fault(node, `${path} must be a mapping or string`);
    const canonical = mount.canonical(long, path, reading);
    return completed(canonical, path, reading);
  },
};

/** What makes two mounts the same: where they are mounted. */
export function mountTarget(item: Node): string {
  return valueText(entryOf(item, 'target') ?? item);
}

function completed(node: Node, path: string, reading: Reading): Node {
  if (node.kind !== 'mapping') return node;
  const entries = new Map(node.entries);
  const target = entries.get('target');
  if (target === undefined) throw fault(node, `${path} is missing a mount target`);
  entries.set('target', scalar(cleaned(valueText(target)), target));
  if (textOf(entries.get('type')) === 'bind') {
    const source = entries.get('source');
    const written = textOf(source);
    if (source === undefined || !written)
      throw fault(node, `${path}: invalid mount config for type "bind": field Source must not be empty`);
    entries.set('source', scalar(resolvePath(written, reading), source));
  }
  return mapping(entries, node);
}

function cleaned(target: string): string {
  return target === '' ? '' : posix.normalize(target).replace(/(.)\/$/, '$1');
}

const propagations = ['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'];

function fromText(written: string, node: Node, path: string): Node {
  const wrong = (message: string) => fault(node, `${path}: invalid spec: ${written}: ${message}`);
  if (written === '') throw fault(node, `${path}: invalid empty volume spec`);
  const parts = splitSpec(written);
  if (parts.some(part => part === '')) throw wrong('empty section between colons');
  if (parts.length > 3) throw wrong('too many colons');
  const [first, second, third] = parts;
  const source = second === undefined ? undefined : first!;
  const isBind = source !== undefined && /^[./~]/.test(source);
  const kind = isBind ? 'bind' : 'volume';
  const entries = new Map<string, Node>([['type', scalar(kind, node)]]);
  if (source !== undefined) entries.set('source', scalar(source, node));
  entries.set('target', scalar(second ?? first!, node));
  const bind = new Map<string, Node>();
  const volume = new Map<string, Node>();
  for (const option of third?.split(',') ?? []) {
    if (option === 'ro') entries.set('read_only', scalar(true, node));
    else if (option === 'nocopy') volume.set('nocopy', scalar(true, node));
    else if (propagations.includes(option)) bind.set('propagation', scalar(option, node));
    else if (option === 'z' || option === 'Z') bind.set('selinux', scalar(option, node));
    else if (option !== 'rw' && !['cached', 'delegated', 'consistent'].includes(option))
      throw wrong(`unknown option '${option}'`);
  }
  if (isBind) bind.set('create_host_path', scalar(true, node));
  if (isBind || bind.size > 0) entries.set('bind', mapping(bind, node));
  // As in Docker, whose parser takes a shortcut for these: hashes of services depend on it.
  const isShort = written.length <= 2;
  if ((!isBind && !isShort) || volume.size > 0) entries.set('volume', mapping(volume, node));
  return mapping(entries, node);
}

/** At colons, but not inside `${...}`, which stays when nothing is interpolated. */
function splitSpec(written: string): string[] {
  return written.match(/(?:\$\{[^}]*\}|[^:])+|(?<=:|^)(?=:|$)/g) ?? [];
}

const fileMount = object(
  { source: text, target: text, uid: text, gid: text, mode: fileMode },
  { shorthand: 'source' },
);

/** A config of a service. */
export const configMount: Shape = fileMount;

/** A secret of a service: at /run/secrets/NAME unless it says where. */
export const secretMount: Shape = {
  ...fileMount,
  canonical(node, path, reading) {
    const canonical = fileMount.canonical(node, path, reading);
    if (canonical.kind !== 'mapping' || canonical.entries.has('target')) return canonical;
    const entries = new Map(canonical.entries);
    entries.set('target', scalar(`/run/secrets/${valueText(entries.get('source') ?? node)}`, node));
    return mapping(entries, canonical);
  },
};

/** A secret of a build, which is known by its id. */
export const buildSecret: Shape = fileMount;

export function configTarget(item: Node): string {
  return textOf(entryOf(item, 'target')) ?? `/${textOf(entryOf(item, 'source'))}`;
}

const device = object({ source: text, target: text, permissions: text }, { required: ['source'] });

/** `SOURCE[:TARGET[:PERMISSIONS]]` or an object. */
export const deviceMapping: Shape = {
  ...device,
  canonical(node, path, reading) {
    const written = textOf(node);
    if (written === undefined) return device.canonical(node, path, reading);
    const parts = written.split(':');
    if (parts.length > 3)
      throw fault(node, `${path}: confusing device mapping, please use long syntax: ${written}`);
    const [source = '', target, permissions = 'rwm'] = parts;
    return mapping(
      [
        ['source', scalar(source, node)],
        ['target', scalar(target || source, node)],
        ['permissions', scalar(permissions, node)],
      ],
      node,
    );
  },
};

/** `blkio_config`'s limits of one device. */
export const deviceRate: Shape = { ...object({ path: text, rate: byteSize }), printed: capitalised };
export const deviceWeight: Shape = { ...object({ path: text, weight: whole() }), printed: capitalised };

/** Docker's JSON has these two with the names of Go's fields. */
function capitalised(value: unknown, notation: Notation): unknown {
  if (notation === 'yaml') return value;
  return Object.fromEntries(
    Object.entries(value as object).map(([key, item]) => [`${key[0]!.toUpperCase()}${key.slice(1)}`, item]),
  );
}
