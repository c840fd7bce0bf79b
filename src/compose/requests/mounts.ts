import type { Mount as ApiMount } from '../../api/containers.ts';
import type { Mount, Project } from '../project.ts';

export interface MountRequests {
  /** `source:target:options`, for what is made when it is missing. */
  binds: string[];
  mounts: ApiMount[];
}

/**
 * A service's mounts as the API takes them: as binds wherever a bind can say it, as docker compose does. The daemon makes
 * a directory that is missing for a bind only.
 * @param inherited anonymous volumes of the container that is replaced, by target
 */
export function mountRequests(
  volumes: readonly Mount[],
  project: Project,
  inherited: ReadonlyMap<string, string>,
): MountRequests {
  const requests: MountRequests = { binds: [], mounts: [] };
  for (const volume of volumes) {
    const source = volume.type === 'volume' ? volumeName(volume, project, inherited) : volume.source;
    if (isBind(volume)) requests.binds.push(bindOf(volume, source!));
    else requests.mounts.push(mountOf(volume, source));
  }
  return requests;
}

function isBind({ type, source, bind, volume }: Mount): boolean {
  if (type === 'bind')
    return bind === undefined || (bind.create_host_path !== false && !bind.propagation && !bind.recursive);
  if (type !== 'volume' || source === undefined) return false;
  return !volume?.nocopy && volume?.subpath === undefined && Object.keys(volume?.labels ?? {}).length === 0;
}

function volumeName(
  { source, target }: Mount,
  project: Project,
  inherited: ReadonlyMap<string, string>,
): string | undefined {
  return source === undefined ? inherited.get(target) : (project.volumes?.[source]?.name ?? source);
}

function bindOf({ target, read_only, bind }: Mount, source: string): string {
  const options = [read_only ? 'ro' : 'rw', bind?.selinux].filter(option => option !== undefined);
  return `${source}:${target}:${options.join(',')}`;
}

function mountOf(volume: Mount, source: string | undefined): ApiMount {
  const { type, target, read_only, consistency, bind, volume: ofVolume, tmpfs, image } = volume;
  return {
    Type: type,
    ...(source === undefined ? {} : { Source: source }),
    Target: target,
    ...(read_only ? { ReadOnly: true } : {}),
    ...(consistency === undefined ? {} : { Consistency: consistency }),
    ...(bind === undefined ? {} : { BindOptions: bindOptions(bind) }),
    ...(ofVolume === undefined || type !== 'volume'
      ? {}
      : {
          VolumeOptions: {
            ...(ofVolume.nocopy ? { NoCopy: true } : {}),
            ...(ofVolume.subpath === undefined ? {} : { Subpath: ofVolume.subpath }),
            ...(ofVolume.labels === undefined ? {} : { Labels: ofVolume.labels }),
          },
        }),
    ...(tmpfs === undefined
      ? {}
      : {
          TmpfsOptions: {
            ...(tmpfs.size === undefined ? {} : { SizeBytes: Number(tmpfs.size) }),
            ...(tmpfs.mode === undefined ? {} : { Mode: tmpfs.mode }),
          },
        }),
    ...(image?.subpath === undefined ? {} : { ImageOptions: { Subpath: image.subpath } }),
  };
}

function bindOptions({
  propagation,
  recursive,
  create_host_path,
}: NonNullable<Mount['bind']>): NonNullable<ApiMount['BindOptions']> {
  return {
    ...(propagation === undefined ? {} : { Propagation: propagation }),
    ...(create_host_path ? { CreateMountpoint: true } : {}),
    ...(recursive === 'disabled' ? { NonRecursive: true } : {}),
    ...(recursive === 'writable' ? { ReadOnlyNonRecursive: true } : {}),
    ...(recursive === 'readonly' ? { ReadOnlyForceRecursive: true } : {}),
  };
}
