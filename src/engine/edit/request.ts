import type { EndpointRequest, HostConfig, MountRequest, PortBinding } from '../containers/config.ts';

/** What shall become of a container that exists. What is not mentioned stays as it is. */
export interface EditRequest {
  /** `80/tcp` -> where it shall appear besides where it is already. */
  publish: Record<string, PortBinding[]>;
  /** `80/tcp`: all its places on the host. */
  unpublish: string[];
  /** `NAME=value`. */
  env: string[];
  unsetEnv: string[];
  /** `source:target[:options]`; like all mounts they take the place of what is mounted there. */
  binds: string[];
  mounts: MountRequest[];
  /** Targets of new anonymous volumes. */
  volumes: string[];
  /** Targets. */
  unmount: string[];
  labels: Record<string, string>;
  removeLabels: string[];
  /** By name. A network the container is on already is joined anew, with these settings. */
  networks: Record<string, EndpointRequest>;
  leaveNetworks: string[];
  /** What `update` changes: limits and the restart policy. */
  limits: Partial<HostConfig>;
  command?: string[];
  hostname?: string;
}

export interface EditOptions {
  /** Only say what would be done. */
  dryRun: boolean;
  /** The new one must become healthy, or the old one comes back. */
  waitHealthy: boolean;
}
