/** What there is of a project on the daemon, before anything is planned. */
export interface Observed {
  containers: ObservedContainer[];
  /** By name on the daemon. */
  networks: Map<string, ObservedResource>;
  volumes: Map<string, ObservedResource>;
}

export interface ObservedContainer {
  id: string;
  /** Without the slash. */
  name: string;
  service: string;
  number: number;
  oneOff: boolean;
  configHash: string;
  /** Of the image it was made of; '' when whoever made it did not say. */
  imageDigest: string;
  running: boolean;
  paused: boolean;
  /** Names on the daemon. */
  networks: string[];
}

export interface ObservedResource {
  labels: Readonly<Record<string, string>>;
}
