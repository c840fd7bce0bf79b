import type { Mount as ApiMount } from '../../api/containers.ts';
import type { Mount, Project } from '../project.ts';

export interface MountRequests {
  /** `source:target:options`, for what is made when it is missing. */
  binds: string[];
  mounts: ApiMount[];
}

/**
 * A service's mounts as the API takes them: as binds where the daemon shall make a missing directory, as mounts otherwise.
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
    if (volume.type === 'bind' && volume.bind?.create_host_path === true) requests.binds.push(bindOf(volume));
    else requests.mounts.push(mountOf(volume, source));
  }
  return requests;
}

function volumeName(
  { source, target }: Mount,
  project: Project,
  inherited: ReadonlyMap<string, string>,
): string | undefined {
  return source === undefined ? inherited.get(target) : (project.volumes?.[source]?.name ?? source);
}

function bindOf({ source, target, read_only, bind }: Mount): string {
  const options = [read_only ? 'ro' : 'rw', bind?.propagation, bind?.selinux].filter(
    option => option !== undefined,
  );
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
}: NonNullable<Mount['bind']>): NonNullable<ApiMount['BindOptions']> {
  return {
    ...(propagation === undefined ? {} : { Propagation: propagation }),
    ...(recursive === 'disabled' ? { NonRecursive: true } : {}),
    ...(recursive === 'writable' ? { ReadOnlyNonRecursive: true } : {}),
    ...(recursive === 'readonly' ? { ReadOnlyForceRecursive: true } : {}),
  };
}
