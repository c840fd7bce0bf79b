import type { MountPoint, Mount as WireMount } from '../../api/containers.ts';
import type { MountRequest } from '../../engine/containers/config.ts';
import type { ResolvedMount } from '../../engine/containers/container.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { HostConfigBody } from './host-config.ts';

type MountBody = NonNullable<HostConfigBody['Mounts']>[number];

/** One `--mount`. @throws EngineError `invalid` */
export function mountFromWire(mount: MountBody): MountRequest {
  const type = typeOf(mount);
  const { BindOptions: bind, VolumeOptions: volume, TmpfsOptions: tmpfs, ImageOptions: image } = mount;
  const request: MountRequest = {
    type,
    source: mount.Source ?? '',
    target: mount.Target ?? '',
    readOnly: mount.ReadOnly ?? false,
  };
  if (bind !== undefined) {
    request.bind = {
      propagation: bind.Propagation || undefined,
      createMountpoint: bind.CreateMountpoint,
      nonRecursive: bind.NonRecursive,
      readOnlyNonRecursive: bind.ReadOnlyNonRecursive,
      readOnlyForceRecursive: bind.ReadOnlyForceRecursive,
    };
  }
  if (volume !== undefined) {
    request.volume = {
      noCopy: volume.NoCopy,
      labels: volume.Labels,
      // Given, but without a name: the default one.
      driver: volume.DriverConfig === undefined ? undefined : (volume.DriverConfig.Name ?? ''),
      driverOptions: volume.DriverConfig?.Options,
      subpath: volume.Subpath || undefined,
    };
  }
  if (tmpfs !== undefined) {
    request.tmpfs = { sizeBytes: tmpfs.SizeBytes, mode: tmpfs.Mode, options: tmpfs.Options };
  }
  if (image !== undefined) request.image = { subpath: image.Subpath || undefined };
  refuseForeignOptions(mount, type);
  return request;
}

/** As inspect shows it in HostConfig.Mounts. */
export function mountToWire(mount: MountRequest): WireMount {
  const { bind, volume, tmpfs, image } = mount;
  const wire: WireMount = { Type: mount.type, Target: mount.target };
  if (mount.source !== '') wire.Source = mount.source;
  if (mount.readOnly) wire.ReadOnly = true;
  if (bind !== undefined) {
    wire.BindOptions = defined({
      Propagation: bind.propagation,
      NonRecursive: bind.nonRecursive || undefined,
      CreateMountpoint: bind.createMountpoint || undefined,
      ReadOnlyNonRecursive: bind.readOnlyNonRecursive || undefined,
      ReadOnlyForceRecursive: bind.readOnlyForceRecursive || undefined,
    });
  }
  if (volume !== undefined) {
    const driver =
      volume.driver === undefined && volume.driverOptions === undefined
        ? undefined
        : defined({ Name: volume.driver || undefined, Options: volume.driverOptions });
    wire.VolumeOptions = defined({
      NoCopy: volume.noCopy || undefined,
      Labels: volume.labels,
      DriverConfig: driver,
      Subpath: volume.subpath,
    });
  }
  if (tmpfs !== undefined) {
    wire.TmpfsOptions = defined({ SizeBytes: tmpfs.sizeBytes, Mode: tmpfs.mode, Options: tmpfs.options });
  }
  if (image !== undefined) wire.ImageOptions = defined({ Subpath: image.subpath });
  return wire;
}

/** The mounts the container has (inspect's and ps's Mounts). */
export function mountPoints(mounts: readonly ResolvedMount[]): MountPoint[] {
  return mounts.filter(isShown).map(mountPoint);
}

/** `--tmpfs` mounts are not among those that Docker shows. */
export function isShown(mount: ResolvedMount): boolean {
  return mount.type !== 'tmpfs' || mount.fromMountFlag === true;
}

function mountPoint(mount: ResolvedMount): MountPoint {
  return {
    Type: mount.type,
    ...(mount.type === 'volume' || mount.type === 'image' ? { Name: mount.name } : {}),
    Source: mount.type === 'tmpfs' ? '' : mount.source,
    Destination: mount.target,
    ...(mount.type === 'volume' ? { Driver: mount.driver } : {}),
    Mode: mount.mode,
    RW: mount.readWrite,
    Propagation: mount.propagation,
  };
}

function typeOf(mount: MountBody): MountRequest['type'] {
  const { Type: type = '' } = mount;
  if (type === 'bind' || type === 'volume' || type === 'tmpfs' || type === 'image') return type;
  throw new EngineError('invalid', `invalid mount config for type "${type}": mount type unknown`);
}

/** moby, volume/mounts/linux_parser.go: options of another type are a mistake. */
function refuseForeignOptions(mount: MountBody, type: MountRequest['type']): void {
  const owners = {
    BindOptions: 'bind',
    VolumeOptions: 'volume',
    ImageOptions: 'image',
    TmpfsOptions: 'tmpfs',
  } as const;
  for (const field of ['BindOptions', 'VolumeOptions', 'ImageOptions', 'TmpfsOptions'] as const) {
    if (mount[field] === undefined || owners[field] === type) continue;
    throw new EngineError(
      'invalid',
      `invalid mount config for type "${type}": field ${field} must not be specified`,
    );
  }
}

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
