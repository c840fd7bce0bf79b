import type { Digest } from '../oci/digest.ts';
import type { DockerfileSource } from './dockerfile/errors.ts';
import type { Reason } from './explain/reason.ts';
import type { LintWarning } from './lint/lint.ts';

/**
 * What happens in a build, as values. Two renderers live off the same events: Docker's classic text
 * (classic-output.ts) and BuildKit's status stream. Events of stages that run at once are interleaved; within one
 * step the order is `stepStarted`, (`stepExplained`, `stepRunning`, `log`, `progress`)*, one of `stepCached`,
 * `stepFinished` and `stepFailed`, then `stepEnded`.
 */
export type BuildEvent =
  /** `alone`: there is one stage, and it takes no files from elsewhere. Its name is not shown then. */
  | { type: 'planned'; steps: BuildStep[]; alone: boolean }
  | { type: 'warning'; text: string }
  /** What the linter says of the Dockerfile, before the first step. */
  | { type: 'lintWarning'; warning: LintWarning; source: DockerfileSource }
  /** About the Dockerfile's text; whole lines, before the first step. */
  | { type: 'dockerfileWarning'; text: string }
  | { type: 'stepStarted'; step: BuildStep; timeMs: number }
  /**
   * Whether the step was found in the cache, and the one reason: told as soon as it is known, once for each step that
   * gets so far. `sentence` says the reason in English, without a full stop.
   */
  | { type: 'stepExplained'; step: BuildStep; hit: boolean; reason: Reason; sentence: string }
  /** A process was started for the step. */
  | { type: 'stepRunning'; step: BuildStep; runId: string }
  | { type: 'log'; step: BuildStep; stream: 'stdout' | 'stderr'; chunk: Buffer }
  | { type: 'progress'; step: BuildStep; progress: BuildProgress }
  | { type: 'stepCached'; step: BuildStep; result: StepResult; timeMs: number }
  | { type: 'stepFinished'; step: BuildStep; result: StepResult; timeMs: number }
  | { type: 'stepFailed'; step: BuildStep; error: Error; timeMs: number }
  /**
   * Nothing more comes for the step's number. For a FROM whose base brought triggers that is after the triggers,
   * which bear its number.
   */
  | { type: 'stepEnded'; step: BuildStep }
  /** Triggers a base image brought with it; they run as steps of their own that were not planned. */
  | { type: 'triggers'; step: BuildStep; count: number }
  | { type: 'built'; imageId: Digest }
  /** `asked` is the name as the caller wrote it, perhaps without a tag. */
  | { type: 'tagged'; reference: string; asked: string }
  | { type: 'pushing'; reference: string }
  | { type: 'pushed'; reference: string; digest: Digest }
  /** The result is where it was wanted; caches that are exported follow. */
  | { type: 'exported' };

/** One instruction of one stage. */
export interface BuildStep {
  /** Position among all steps of this build in the order of the Dockerfile, from 1. */
  number: number;
  total: number;
  /** -1 for an ARG before the first FROM. */
  stage: number;
  /** The name after AS. */
  stageName?: string;
  /** Of a build for several platforms. Steps of the same `label`, stage and index are one and the same. */
  platform?: StepPlatform;
  /** Position in its stage; FROM is 0. Triggers of ONBUILD have the index of their FROM. */
  index: number;
  /** The instruction as written, continuation lines joined: `RUN apk add curl`. */
  text: string;
  /** Of a FROM: the image's name, variables expanded. */
  image?: string;
  /** As BuildKit shows it, with variables expanded; known when a step that changes files is started. */
  shown?: string;
  /** Lines in the Dockerfile, from 1, both included. */
  lines: { first: number; last: number };
  trigger: boolean;
}

export interface StepPlatform {
  /** What the result is for: `linux/arm64`. */
  target: string;
  /** What the step is for, as it is shown: `linux/arm64`, or `linux/amd64->arm64` when it knows its target. */
  label: string;
}

export interface StepResult {
  /**
   * The base image's id after FROM, else the digest of the configuration as it stands after the step; undefined
   * where there is no image yet (ARG before the first FROM, FROM scratch).
   */
  stateId?: Digest;
  /** The process the step ran, if it ran one. */
  runId?: string;
  /** Key in the build cache; absent for steps that only change the configuration. */
  key?: Digest;
}

/** Progress of a pull or of a download, one line per id. */
export interface BuildProgress {
  id?: string;
  status: string;
  currentBytes?: number;
  totalBytes?: number;
}

export interface BuildOutput {
  event(event: BuildEvent): void;
  /** Does work besides the Dockerfile's, told under a name of its own by who can tell it. */
  task?<T>(name: string, work: (task: BuildTask) => Promise<T>): Promise<T>;
}

export interface BuildTask {
  /** A line below the task's name; the last one with `done`. */
  status(id: string, progress?: { done?: boolean }): void;
}

export function runTask<T>(
  output: BuildOutput,
  name: string,
  work: (task: BuildTask) => Promise<T>,
): Promise<T> {
  return output.task === undefined ? work({ status: () => {} }) : output.task(name, work);
}
