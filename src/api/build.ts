/** The `aux` of a build's progress stream. */
export interface BuildResult {
  ID: string;
}

/** `POST /build/prune?all=&keep-storage=&filters=` */
export interface BuildPruneResponse {
  CachesDeleted: string[] | null;
  SpaceReclaimed: number;
}
