/** The `aux` of a build's progress stream. */
export interface BuildResult {
  ID: string;
}

/**
 * With `POST /build?explain=1` (Gantry's own): the `aux` of messages whose id is `gantry.explain`, one for each step
 * that gets so far, as soon as it is known.
 */
export interface BuildExplanation {
  /** Position among all steps, from 1. */
  Step: number;
  Total: number;
  /** Name or index. */
  Stage: string;
  Instruction: string;
  Hit: boolean;
  /** `unchanged`, `first`, `noCache`, `pruned`, `file`, `argument`, `environment`, `option`, `base`, `parent`, ... */
  Kind: string;
  /** In English, without a full stop. */
  Reason: string;
}

/** `GET /gantry/failed-steps/{token}`: the step that a build with `holdfailed=<token>` waits for. */
export interface FailedStep {
  Command: string[];
  ExitCode: number;
}

export const explanationId = 'gantry.explain';

/** `POST /build/prune?all=&keep-storage=&filters=` */
export interface BuildPruneResponse {
  CachesDeleted: string[] | null;
  SpaceReclaimed: number;
}
