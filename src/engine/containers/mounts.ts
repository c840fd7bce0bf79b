import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import type { ContainerConfig, HostConfig, MountRequest } from './config.ts';
import type { ResolvedMount } from './container.ts';

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
const consistencies = ['consistent', 'cached', 'delegated'];

/** A mount that is not settled yet: an anonymous volume has no name. */
export type PlannedMount = ResolvedMount & {
  /** `-v` makes a missing host directory, `--mount` refuses it unless asked. */
  createSource: boolean;
  labels?: Record<string, string>;
  driverOptions?: Record<string, string>;
};

/**
 * Which mounts a container gets, by Docker's rules: what the caller names wins over what `--volumes-from` brings,
 * which wins over the volumes that the image declares.
 * @param mountsOf the mounts of another container; throws notFound
 * @throws invalid, in Docker's words
 */
export function planMounts(
  config: ContainerConfig,
  hostConfig: HostConfig,
  mountsOf: (containerRef: string) => ResolvedMount[],
): PlannedMount[] {
  const byTarget = new Map<string, PlannedMount>();
  for (const mount of hostConfig.volumesFrom.flatMap(spec => mountsFrom(spec, mountsOf))) {
    byTarget.set(mount.target, mount);
  }
  const named = new Set<string>();
  const add = (mount: PlannedMount) => {
    if (named.has(mount.target)) {
      throw new EngineError('invalid', `Duplicate mount point: ${mount.target}`);
    }
    named.add(mount.target);
    byTarget.set(mount.target, mount);
  };
  for (const bind of hostConfig.binds) add(parseBind(bind, hostConfig.volumeDriver));
  for (const mount of hostConfig.mounts) add(planMount(mount, hostConfig.volumeDriver));
  for (const [target, options] of Object.entries(hostConfig.tmpfs)) add(planTmpfs(target, options));
  for (const target of config.volumes) {
    // Docker takes what a Dockerfile's VOLUME says without a slash at its beginning as well.
    const clean = cleanTarget(posix.resolve('/', target), target, 'volume');
    if (!byTarget.has(clean)) byTarget.set(clean, volumeMount('', clean, hostConfig.volumeDriver));
  }
  return inMountingOrder([...byTarget.values()]);
}

/** A mount below another one has to come after it. */
export function inMountingOrder<M extends { target: string }>(mounts: M[]): M[] {
  return mounts.sort((a, b) => depth(a.target) - depth(b.target) || (a.target < b.target ? -1 : 1));
}

/** `[source:]target[:options]` as `-v` takes it. */
export function parseBind(spec: string, volumeDriver: string): PlannedMount {
  const parts = spec.split(':');
  if (parts.length > 3 || parts.some(part => part === '')) {
    throw new EngineError('invalid', `invalid volume specification: '${spec}'`);
  }
  const [first = '', second, third] = parts;
  const source = second === undefined ? '' : first;
  const target = cleanTarget(second ?? first, spec, source.startsWith('/') ? 'bind' : 'volume');
  const mode = parseMode(third ?? '', spec, source.startsWith('/'));
  if (source.startsWith('/')) {
    return {
      ...bindMount(posix.normalize(source), target),
      mode: third ?? '',
      readWrite: !mode.readOnly,
      propagation: mode.propagation ?? 'rprivate',
      createSource: true,
    };
  }
  if (source !== '' && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(source)) {
    throw new EngineError(
      'invalid',
      `create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
  return {
    ...volumeMount(source, target, volumeDriver),
    mode: third ?? 'z',
    readWrite: !mode.readOnly,
    copyUp: !mode.noCopy,
  };
}

interface BindMode {
  readOnly: boolean;
  noCopy: boolean;
  propagation?: string;
}

function parseMode(text: string, spec: string, isBind: boolean): BindMode {
  const mode: BindMode = { readOnly: false, noCopy: false };
  if (text === '') return mode;
  const refuse = () => new EngineError('invalid', `invalid mode: ${text}`);
  const seen = new Set<string>();
  for (const option of text.split(',')) {
    const group = groupOf(option);
    if (group === undefined || seen.has(group)) throw refuse();
    seen.add(group);
    if (option === 'ro') mode.readOnly = true;
    else if (option === 'nocopy') {
      if (isBind) throw new EngineError('invalid', `invalid volume specification: '${spec}'`);
      mode.noCopy = true;
    } else if (group === 'propagation') {
      if (!isBind) {
        const why = 'invalid mount config for type "volume": field BindOptions must not be specified';
        throw new EngineError('invalid', `invalid volume specification: '${spec}': ${why}`);
      }
      mode.propagation = option;
    }
  }
  return mode;
}

/** Options of one group exclude each other. */
function groupOf(option: string): string | undefined {
  if (option === 'ro' || option === 'rw') return 'access';
  if (option === 'z' || option === 'Z') return 'label';
  if (option === 'nocopy') return 'copy';
  if (propagations.includes(option)) return 'propagation';
  if (consistencies.includes(option)) return 'consistency';
  return undefined;
}

function planMount(mount: MountRequest, volumeDriver: string): PlannedMount {
  const refuse = (why: string) =>
    new EngineError('invalid', `invalid mount config for type "${mount.type}": ${why}`);
  if (mount.target === '') throw refuse('field Target must not be empty');
  if (!mount.target.startsWith('/')) {
    throw refuse(`invalid mount path: '${mount.target}' mount path must be absolute`);
  }
  const target = posix.normalize(mount.target).replace(/(.)\/$/, '$1');
  if (target === '/') throw refuse("invalid specification: destination can't be '/'");
  switch (mount.type) {
    case 'bind': {
      if (mount.source === '') throw refuse('field Source must not be empty');
      if (!mount.source.startsWith('/')) {
        throw refuse(`invalid mount path: '${mount.source}' mount path must be absolute`);
      }
      const propagation = mount.bind?.propagation || 'rprivate';
      const { readOnlyNonRecursive = false, readOnlyForceRecursive = false } = mount.bind ?? {};
      if (readOnlyNonRecursive && readOnlyForceRecursive) {
        throw new EngineError(
          'invalid',
          'mount options conflict: "ReadOnlyNonRecursive" && "ReadOnlyForceRecursive"',
        );
      }
      if (!propagations.includes(propagation)) throw refuse(`invalid propagation mode: ${propagation}`);
      return {
        ...bindMount(posix.normalize(mount.source), target),
        readWrite: !mount.readOnly,
        propagation,
        nonRecursive: mount.bind?.nonRecursive ?? false,
        submounts: readOnlyNonRecursive ? 'writable' : readOnlyForceRecursive ? 'readOnly' : undefined,
        fromMountFlag: true,
        createSource: mount.bind?.createMountpoint ?? false,
      };
    }
    case 'volume':
      if (mount.source === '' && mount.readOnly) {
        throw refuse('must not set ReadOnly mode when using anonymous volumes');
      }
      if (mount.volume?.subpath) {
        if (mount.source === '') throw refuse('must not set Subpath when using anonymous volumes');
        if (!isBelow(mount.volume.subpath)) throw refuse('subpath must be a relative path within the volume');
      }
      return {
        ...volumeMount(mount.source, target, mount.volume?.driver || volumeDriver),
        readWrite: !mount.readOnly,
        mode: 'z',
        copyUp: !(mount.volume?.noCopy ?? false),
        subpath: mount.volume?.subpath || undefined,
        labels: mount.volume?.labels,
        driverOptions: mount.volume?.driverOptions,
        fromMountFlag: true,
      };
    case 'image':
      if (mount.source === '') throw refuse('field Source must not be empty');
      if (mount.image?.subpath && !isBelow(mount.image.subpath))
        throw refuse('subpath must be a relative path within the volume');
      return {
        ...blank,
        type: 'image',
        name: mount.source,
        target,
        // Whatever was asked: an image is not written to.
        readWrite: false,
        propagation: 'rprivate',
        subpath: mount.image?.subpath || undefined,
        fromMountFlag: true,
      };
    case 'tmpfs':
      if (mount.source !== '') throw refuse('field Source must not be specified');
      for (const option of mount.tmpfs?.options ?? []) {
        if (option.length < 1 || option.length > 2) throw refuse('invalid option array length');
        if (option[0] !== 'exec' && option[0] !== 'noexec') throw refuse(`invalid option: ${option[0]}`);
      }
      return {
        ...tmpfsMount(target),
        tmpfsOptions: tmpfsOptionsOf(mount),
        readWrite: !mount.readOnly,
        fromMountFlag: true,
      };
  }
}

/** Of the words alone: where links lead is seen when it is mounted. */
function isBelow(path: string): boolean {
  const normal = posix.normalize(path);
  return !normal.startsWith('/') && normal !== '..' && !normal.startsWith('../');
}

function tmpfsOptionsOf(mount: MountRequest): string[] {
  const asked = mount.tmpfs?.options ?? [];
  const defaults = asked.some(([name]) => name === 'exec') ? [] : ['noexec'];
  const options = [...defaults, 'nosuid', 'nodev', mount.readOnly ? 'ro' : 'rw'];
  if (mount.tmpfs?.sizeBytes) options.push(`size=${mount.tmpfs.sizeBytes}`);
  if (mount.tmpfs?.mode) options.push(`mode=${mount.tmpfs.mode.toString(8)}`);
  for (const [name, value] of asked) {
    options.push(value === undefined ? String(name) : `${name}=${value}`);
  }
  return options;
}

function planTmpfs(target: string, options: string): PlannedMount {
  if (!target.startsWith('/')) {
    throw new EngineError('invalid', `invalid mount path: '${target}' mount path must be absolute`);
  }
  const clean = cleanTarget(target, target, 'volume');
  const asked = options === '' ? [] : options.split(',');
  const bad = asked.find(option => !isTmpfsOption(option));
  if (bad !== undefined) {
    throw new EngineError('invalid', `invalid tmpfs option ["${bad}"]`);
  }
  // Docker's defaults, which asked options override.
  const defaults = ['noexec', 'nosuid', 'nodev'].filter(option => !asked.includes(option.slice('no'.length)));
  return {
    ...tmpfsMount(clean),
    tmpfsOptions: [...new Set([...defaults, ...asked])],
    readWrite: !asked.includes('ro'),
  };
}

function isTmpfsOption(option: string): boolean {
  const [name = ''] = option.split('=');
  return [
    ...['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol'],
    ...[
      'ro',
      'rw',
      'exec',
      'noexec',
      'suid',
      'nosuid',
      'dev',
      'nodev',
      'sync',
      'async',
      'dirsync',
      'remount',
    ],
    ...[
      'atime',
      'noatime',
      'diratime',
      'nodiratime',
      'relatime',
      'norelatime',
      'strictatime',
      'nostrictatime',
    ],
    ...['mand', 'nomand', 'defaults', 'bind', 'rbind', ...propagations, 'unbindable', 'runbindable'],
  ].includes(name);
}

/** `container[:ro|rw]` as `--volumes-from` takes it. */
function mountsFrom(spec: string, mountsOf: (ref: string) => ResolvedMount[]): PlannedMount[] {
  const [ref = '', mode = 'rw'] = spec.split(':', 2);
  if (ref === '') throw new EngineError('invalid', 'volumes-from specification cannot be an empty string');
  if (mode !== 'ro' && mode !== 'rw' && groupOf(mode) !== 'label') {
    throw new EngineError('invalid', `invalid mode: ${mode}`);
  }
  return mountsOf(ref)
    .filter(mount => mount.type !== 'tmpfs')
    .map(mount => ({
      ...mount,
      mode: '',
      readWrite: mount.readWrite && mode !== 'ro',
      copyUp: false,
      fromMountFlag: false,
      createSource: false,
    }));
}

function bindMount(source: string, target: string): PlannedMount {
  return { ...blank, type: 'bind', source, target, propagation: 'rprivate' };
}

function volumeMount(name: string, target: string, driver: string): PlannedMount {
  return {
    ...blank,
    type: 'volume',
    name,
    target,
    driver: driver || 'local',
    copyUp: true,
    anonymous: name === '',
  };
}

function tmpfsMount(target: string): PlannedMount {
  return { ...blank, type: 'tmpfs', target };
}

const blank: Omit<PlannedMount, 'type' | 'target'> = {
  name: '',
  source: '',
  driver: '',
  mode: '',
  readWrite: true,
  propagation: '',
  copyUp: false,
  anonymous: false,
  createSource: false,
};

function cleanTarget(target: string, spec: string, type: 'bind' | 'volume'): string {
  if (!target.startsWith('/')) {
    throw new EngineError(
      'invalid',
      `invalid volume specification: '${spec}': invalid mount config for type "${type}": invalid mount path: '${target}' mount path must be absolute`,
    );
  }
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1');
  if (clean === '/') {
    throw new EngineError(
      'invalid',
      `invalid volume specification: '${spec}': invalid mount config for type "${type}": invalid specification: destination can't be '/'`,
    );
  }
  return clean;
}

function depth(target: string): number {
  return target.split('/').length;
}
