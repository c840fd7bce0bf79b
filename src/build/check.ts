import type { ImageStore } from '../images/store.ts';
import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { DockerfileSource } from './dockerfile/errors.ts';
import { type Dockerfile, parseDockerfile } from './dockerfile/parse.ts';
import { planGraph } from './graph.ts';
import { type LintResult, lintDockerfile, lintFailure } from './lint/lint.ts';
import { failedReport, type LintReport, lintReport, warningsText } from './lint/report.ts';
import { formatPlatform, parsePlatforms } from './platform.ts';
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
  let dockerfile: Dockerfile;
  try {
    dockerfile = parseDockerfile(source);
  } catch (error) {
    return { report: failedReport(source, asFault(error)), text: '' };
  }
  const { target, buildArgs, platform } = request;
  let planned: { target: number; stages?: ReadonlySet<number> } = { target: dockerfile.stages.length - 1 };
  let fault: EngineError | undefined;
  try {
    const own = context.platform;
    // Of several platforms the first one speaks for all.
    const one = platform.includes(',') ? formatPlatform(parsePlatforms(platform, own)[0]!) : platform;
    const graph = planGraph(dockerfile, { target, buildArgs, platform: one, ownPlatform: own });
    const stages = target === '' ? undefined : new Set(graph.stages.map(({ stage }) => stage.index));
    planned = { target: graph.target, stages };
  } catch (error) {
    fault = asFault(error);
  }
  try {
    const result = lintPlanned(dockerfile, planned, request, context);
    if (result.fails) fault ??= lintFailure(result);
    return { report: lintReport(source, result, fault), text: warningsText(source, result) };
  } catch (error) {
    return { report: failedReport(source, asFault(error)), text: '' };
  }
}

/** What is wrong with the Dockerfile is an answer, all else is an error. */
function asFault(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  throw error;
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
      target: parsePlatforms(request.platform, platform)[0]!,
    },
    target,
    stages,
    ignore,
    baseConfig: reference => imageConfig(images, reference),
  });
}

/** Of an image that is here, and can be meant by the reference. */
export function imageConfig(images: CheckContext['images'], reference: string) {
  try {
    const image = images.find(reference);
    return image === undefined ? undefined : (image.config.config ?? {});
  } catch (error) {
    // A reference that is wrong, or an id of several images: the build will say so.
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
