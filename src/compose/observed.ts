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
  /** As it was named when the container was made. */
  image: string;
  /** Of the image it was made of; '' when whoever made it did not say. */
  imageDigest: string;
  running: boolean;
  paused: boolean;
  /** It ran, and has stopped. */
  ended: boolean;
  /** Names on the daemon. */
  networks: string[];
}

export interface ObservedResource {
  labels: Readonly<Record<string, string>>;
}
