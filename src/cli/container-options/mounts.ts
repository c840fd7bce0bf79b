import { resolve } from 'node:path';
import type { Mount } from '../../api/containers.ts';
import { splitCsv } from '../../stdx/csv.ts';
import { EngineError } from '../../stdx/errors.ts';
import { parseBytes } from '../output/units.ts';

/** `--volume`: those with a source are binds, those without are anonymous volumes. */
export function planVolumes(
  texts: readonly string[],
  workingDirectory: string,
): { binds: string[]; anonymous: string[] } {
  const binds: string[] = [];
  const anonymous: string[] = [];
  for (const text of texts) {
    const colon = text.indexOf(':');
    if (text.split(':').some(part => part === ''))
      throw new EngineError('invalid', `invalid spec: ${text}: empty section between colons`);
    if (colon === -1) anonymous.push(text);
    // The daemon may be elsewhere: what is relative is meant relative to here.
    else if (/^\.\.?(\/|$)/.test(text.slice(0, colon)))
      binds.push(resolve(workingDirectory, text.slice(0, colon)) + text.slice(colon));
    else binds.push(text);
  }
  return { binds, anonymous };
}

/** `--tmpfs /path:options` */
export function planTmpfs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map(text => {
      const colon = text.indexOf(':');
      return colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
    }),
  );
}

/** `--mount type=bind,source=/a,target=/b,readonly`. @throws invalid, in Docker's words */
export function parseMount(text: string, workingDirectory: string): Mount {
  const mount: Mount = { Type: 'volume', Target: '' };
  for (const field of splitCsv(text)) setField(mount, field, workingDirectory);
  validate(mount, text);
  return mount;
}

function setField(mount: Mount, field: string, workingDirectory: string): void {
  const equals = field.indexOf('=');
  const key = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
  const value = equals === -1 ? undefined : field.slice(equals + 1);
  const flag = () => {
    if (value === undefined || /^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw new EngineError('invalid', `invalid value for ${key}: ${value}`);
  };
  if (value === undefined && !['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive'].includes(key)) {
    throw new EngineError('invalid', `invalid field '${field}' must be a key=value pair`);
  }
  switch (key) {
    case 'type':
      mount.Type = value!.toLowerCase() as Mount['Type'];
      return;
    case 'source':
    case 'src':
      mount.Source = /^\.\.?(\/|$)/.test(value!) ? resolve(workingDirectory, value!) : value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = value!;
      return;
    case 'readonly':
    case 'ro':
      mount.ReadOnly = flag();
      return;
    case 'consistency':
      mount.Consistency = value!.toLowerCase();
      return;
    case 'bind-propagation':
      mount.BindOptions = { ...mount.BindOptions, Propagation: value!.toLowerCase() };
      return;
    case 'bind-nonrecursive':
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: flag() };
      return;
    case 'bind-recursive':
      mount.BindOptions = { ...mount.BindOptions, ...bindRecursive(value!) };
      return;
    case 'volume-subpath':
      mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: value };
      return;
    case 'volume-nocopy':
      mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: flag() };
      return;
    case 'volume-label':
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        Labels: { ...mount.VolumeOptions?.Labels, ...pair(value!) },
      };
      return;
    case 'volume-driver':
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: value },
      };
      return;
    case 'volume-opt': {
      const driver = mount.VolumeOptions?.DriverConfig;
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...driver, Options: { ...driver?.Options, ...pair(value!) } },
      };
      return;
    }
    case 'image-subpath':
      mount.ImageOptions = { Subpath: value };
      return;
    case 'tmpfs-size': {
      const SizeBytes = parseBytes(value!);
      if (Number.isNaN(SizeBytes)) throw new EngineError('invalid', `invalid value for ${key}: ${value}`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes };
      return;
    }
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value!)) throw new EngineError('invalid', `invalid value for ${key}: ${value}`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value!, 8) };
      return;
    default:
      throw new EngineError('invalid', `unexpected key '${key}' in '${field}'`);
  }
}

function bindRecursive(value: string): NonNullable<Mount['BindOptions']> {
  switch (value) {
    case 'enabled':
      return {};
    case 'disabled':
      return { NonRecursive: true };
    case 'writable':
      return { ReadOnlyNonRecursive: true };
    case 'readonly':
      return { ReadOnlyForceRecursive: true };
    default:
      throw new EngineError(
        'invalid',
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function validateRecursion({ ReadOnly, BindOptions }: Mount): void {
  const asked = BindOptions?.ReadOnlyNonRecursive
    ? 'writable'
    : BindOptions?.ReadOnlyForceRecursive
      ? 'readonly'
      : undefined;
  if (asked === undefined) return;
  const requires = (what: string) =>
    new EngineError(
      'invalid',
      `option 'bind-recursive=${asked}' requires '${what}' to be specified in conjunction`,
    );
  if (ReadOnly !== true) throw requires('readonly');
  if (asked === 'readonly' && BindOptions?.Propagation !== 'rprivate')
    throw requires('bind-propagation=rprivate');
}

function validate(mount: Mount, text: string): void {
  if (mount.Type.length === 0) throw new EngineError('invalid', 'type is required');
  if (mount.Target === '') throw new EngineError('invalid', 'target is required');
  const belongs: [keyof Mount, Mount['Type'], string][] = [
    ['VolumeOptions', 'volume', 'volume-*'],
    ['BindOptions', 'bind', 'bind-*'],
    ['TmpfsOptions', 'tmpfs', 'tmpfs-*'],
    ['ImageOptions', 'image', 'image-*'],
  ];
  for (const [field, type, options] of belongs) {
    if (mount[field] !== undefined && mount.Type !== type) {
      throw new EngineError(
        'invalid',
        `cannot mix '${options}' options with mount type '${mount.Type}': ${text}`,
      );
    }
  }
  validateRecursion(mount);
}

function pair(text: string): Record<string, string> {
  const equals = text.indexOf('=');
  return equals === -1 ? { [text]: '' } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}
