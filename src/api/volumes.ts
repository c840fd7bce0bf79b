/** `GET /volumes/{name}`, `POST /volumes/create` */
export interface Volume {
  Name: string;
  Driver: string;
  Mountpoint: string;
  CreatedAt?: string;
  Status?: Record<string, unknown>;
  Labels: Record<string, string> | null;
  Scope: 'local' | 'global';
  Options: Record<string, string> | null;
  /** Only in `/system/df`; -1: not known. */
  UsageData?: { Size: number; RefCount: number } | null;
}

export interface VolumeCreateRequest {
  Name?: string;
  Driver?: string;
  DriverOpts?: Record<string, string> | null;
  Labels?: Record<string, string> | null;
  ClusterVolumeSpec?: object | null;
}

/** `POST /gantry/volumes/{name}/clone` */
export interface VolumeCloneRequest {
  Name?: string;
  /** Of the new one: `uid`, `gid`, `mode`, `size`. */
  DriverOpts?: Record<string, string>;
  /** Besides those of the volume it is made of. */
  Labels?: Record<string, string>;
}

/** One of `GET /gantry/volumes/{name}/snapshots` */
export interface VolumeSnapshot {
  Name: string;
  CreatedAt: string;
}

/** `GET /volumes?filters=` */
export interface VolumeListResponse {
  Volumes: Volume[] | null;
  Warnings: string[] | null;
}

/** `POST /volumes/prune?filters=` */
export interface VolumePruneResponse {
  VolumesDeleted: string[] | null;
  SpaceReclaimed: number;
}
