import type { ImageStore } from '../images/store.ts';
import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { DockerfileError, type DockerfileSource } from './dockerfile/errors.ts';
import { type Dockerfile, parseDockerfile } from './dockerfile/parse.ts';
import { planGraph } from './graph.ts';
import { type LintResult, lintDockerfile } from './lint/lint.ts';
import { failedReport, type LintReport, lintReport, warningsText } from './lint/report.ts';
import { parsePlatform } from './platform.ts';
import type { BuildRequest } from './request.ts';

export interface CheckContext {
  images: Pick<ImageStore, 'find'>;
  /** The machine's own. */
  platform: Platform;
  /** Text of .dockerignore; '' where there is none. */
  ignore: string;
}

type CheckRequest = Pick<BuildRequest, 'buildArgs' | 'platform' | 'target'>;

/** What `build --check` answers: the report, and the same as text. Nothing is built or fetched. */
export function checkDockerfile(
  source: DockerfileSource,
  request: CheckRequest,
  context: CheckContext,
): { report: LintReport; text: string } {
  let result: LintResult = { warnings: [], advice: [], fails: false };
  try {
    const dockerfile = parseDockerfile(source);
    const options = { target: request.target, buildArgs: request.buildArgs, platform: request.platform };
    const graph = planGraph(dockerfile, { ...options, ownPlatform: context.platform });
    const stages = request.target === '' ? undefined : new Set(graph.stages.map(({ stage }) => stage.index));
    result = lintPlanned(dockerfile, { target: graph.target, stages }, request, context);
    return { report: lintReport(source, result), text: warningsText(source, result) };
  } catch (error) {
    if (!(error instanceof DockerfileError || error instanceof EngineError)) throw error;
    return { report: failedReport(source, error), text: '' };
  }
}

/** The linter's words on what is about to be built. @param stages all when undefined */
export function lintPlanned(
  dockerfile: Dockerfile,
  { target, stages }: { target: number; stages?: ReadonlySet<number> },
  request: CheckRequest,
  { images, platform, ignore }: CheckContext,
): LintResult {
  return lintDockerfile(dockerfile, {
    buildArgs: request.buildArgs,
    platform: {
      own: platform,
      target: request.platform === '' ? platform : parsePlatform(request.platform, platform),
    },
    target,
    stages,
    ignore,
    baseConfig: reference => imageConfig(images, reference),
  });
}

function imageConfig(images: CheckContext['images'], reference: string) {
  try {
    const image = images.find(reference);
    return image === undefined ? undefined : (image.config.config ?? {});
  } catch (error) {
    // A reference that is wrong, or an id of several images: the build will say so.
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
