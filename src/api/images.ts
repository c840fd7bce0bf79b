import type { GraphDriver } from './containers.ts';

/** One of `GET /images/json?all=&filters=&digests=&shared-size=&manifests=`. */
export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  /** Seconds since the epoch. */
  Created: number;
  Size: number;
  /** -1: not computed. */
  SharedSize: number;
  VirtualSize?: number;
  Labels: Record<string, string> | null;
  /** -1: not computed. */
  Containers: number;
  Manifests?: ManifestSummary[];
  Descriptor?: Descriptor;
}

export interface Platform {
  architecture: string;
  os: string;
  'os.version'?: string;
  'os.features'?: string[];
  variant?: string;
}

/** One of the manifests of an image, with `manifests=1`. */
export interface ManifestSummary {
  ID: string;
  Descriptor: Descriptor;
  Available: boolean;
  Size: { Content: number; Total: number };
  Kind: 'image' | 'attestation' | 'unknown';
  ImageData?: { Platform: Platform; Containers: string[]; Size: { Unpacked: number } };
  AttestationData?: { For: string };
}

export interface Descriptor {
  mediaType?: string;
  digest?: string;
  size?: number;
  platform?: Platform;
}

/** Durations in nanoseconds; 0: inherited. Test: [] inherited, ['NONE'], ['CMD', ...], ['CMD-SHELL', line]. */
export interface HealthConfig {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/** The configuration an image gives its containers. Empty fields are left out since 1.50. */
export interface ImageConfig {
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: Record<string, Record<string, never>>;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: string[] | null;
  Cmd?: string[] | null;
  Healthcheck?: HealthConfig;
  ArgsEscaped?: boolean;
  Image?: string;
  Volumes?: Record<string, Record<string, never>> | null;
  WorkingDir?: string;
  Entrypoint?: string[] | null;
  OnBuild?: string[] | null;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Shell?: string[] | null;
}

/** `GET /images/{name}/json` */
export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created?: string;
  /** Until 1.44. */
  Container?: string;
  ContainerConfig?: object;
  DockerVersion: string;
  Author: string;
  Config: ImageConfig | null;
  Architecture: string;
  Variant?: string;
  Os: string;
  OsVersion?: string;
  Size: number;
  /** Until 1.43. */
  VirtualSize?: number;
  GraphDriver: GraphDriver;
  RootFS: { Type: string; Layers?: string[] };
  Metadata: { LastTagTime?: string };
  Descriptor?: Descriptor;
  Manifests?: ManifestSummary[];
}

/** One of `GET /images/{name}/history`, newest first. */
export interface ImageHistoryItem {
  /** `<missing>` for layers whose image is not here. */
  Id: string;
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

/** One of `DELETE /images/{name}?force=&noprune=`: either field. */
export interface ImageDeleteItem {
  Untagged?: string;
  Deleted?: string;
}

/** `POST /images/prune?filters=` */
export interface ImagePruneResponse {
  ImagesDeleted: ImageDeleteItem[] | null;
  SpaceReclaimed: number;
}

/** One of `GET /images/search?term=&limit=&filters=` */
export interface ImageSearchItem {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

/**
 * One line of a progress stream: `POST /images/create`, `/images/{name}/push`, `/images/load`, `/build` and
 * Gantry's own `/gantry/images/bootstrap?image=`. Lines end in CR LF, each is a JSON object.
 */
export interface ProgressMessage {
  stream?: string;
  status?: string;
  id?: string;
  /** Drawn by the daemon for clients that do not draw: `[==>   ]  1MB/2MB`. */
  progress?: string;
  progressDetail?: { current?: number; total?: number; start?: number; hidecounts?: boolean; units?: string };
  error?: string;
  errorDetail?: { code?: number; message?: string };
  aux?: unknown;
  from?: string;
  time?: number;
  timeNano?: number;
}

/** In the registry auth header; IdentityToken instead of a password after an OAuth2 log-in. */
export interface RegistryAuth {
  username?: string;
  password?: string;
  auth?: string;
  email?: string;
  serveraddress?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/** `POST /auth` with a RegistryAuth. */
export interface AuthResponse {
  Status: string;
  IdentityToken: string;
}
