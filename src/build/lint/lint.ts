import type { ImageRunConfig, Platform } from '../../oci/image.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { LineRange } from '../dockerfile/errors.ts';
import type { Dockerfile, Stage } from '../dockerfile/parse.ts';
import type { StageBase } from '../graph.ts';
import { IgnoreRules, readPatterns } from '../patterns/ignore.ts';
import { envOf } from '../state.ts';
import { type CheckOptions, parseCheckOptions, standingOf, withComments } from './check-options.ts';
import { commentsBefore } from './comments.ts';
import { checkFile } from './file-rules.ts';
import { checkFroms, expanded, globalVariables } from './from-rules.ts';
import { adviseOnStage, adviseOnUser } from './practices.ts';
import { type Finding, type RuleName, rules, urlOf } from './rules.ts';
import { checkStage, type StageContext, type StageKnowledge } from './stage-rules.ts';

export interface LintWarning {
  rule: RuleName;
  description: string;
  /** '' for rules of ours. */
  url: string;
  /** What is wrong here. */
  detail: string;
  lines: LineRange;
}

export interface LintResult {
  /** By line. */
  warnings: LintWarning[];
  advice: LintWarning[];
  /** `# check=error=true`, and there are warnings: the build must not go on. */
  fails: boolean;
}

export interface LintOptions {
  buildArgs: Readonly<Record<string, string | null>>;
  platform: { target: Platform; own: Platform };
  /** Indexes of the stages that are looked into; all when undefined. */
  stages?: ReadonlySet<number>;
  /** Index of the stage that becomes the image. */
  target: number;
  /** Text of .dockerignore; '' where there is none. */
  ignore: string;
  /** Of an image that is here; undefined: nobody knows what it sets. */
  baseConfig(reference: string): ImageRunConfig | undefined;
}

/**
 * What is to be said about a Dockerfile that can be parsed. Nothing is looked up but what the options answer.
 * @throws EngineError `invalid` for a `check` directive that cannot be read
 */
export function lintDockerfile(dockerfile: Dockerfile, options: LintOptions): LintResult {
  // What follows after white space is a remark.
  const [directive = ''] = (dockerfile.directives['check'] ?? '').split(/\s/);
  const check = readCheckOptions(options.buildArgs['BUILDKIT_DOCKERFILE_CHECK'] ?? directive);
  const comments = commentsBefore(dockerfile);
  const told = [...checkFile(dockerfile, comments), ...checkStages(dockerfile, options)]
    .map(finding => ({ finding, standing: standingOf(finding, optionsAt(finding, check, comments)) }))
    .sort((a, b) => a.finding.lines.first - b.finding.lines.first);
  const of = (wanted: 'warning' | 'advice'): LintWarning[] =>
    told.filter(({ standing }) => standing === wanted).map(({ finding }) => warningOf(finding));
  const warnings = of('warning');
  return { warnings, advice: of('advice'), fails: check.error && warnings.length > 0 };
}

/** BuildKit's words for a build that its Dockerfile forbids because of warnings. */
export function lintFailure({ warnings }: LintResult): EngineError {
  const names = [...new Set(warnings.map(warning => warning.rule))];
  return new EngineError('invalid', `lint violation found for rules: ${names.join(', ')}`);
}

function readCheckOptions(text: string): CheckOptions {
  try {
    return parseCheckOptions(text);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError('invalid', `failed to parse check options: ${error.message}`, { cause: error });
  }
}

function optionsAt(
  { at }: Finding,
  check: CheckOptions,
  comments: ReadonlyMap<number, string[]>,
): CheckOptions {
  return at === undefined ? check : withComments(check, comments.get(at) ?? []);
}

function warningOf({ rule, detail, lines }: Finding): LintWarning {
  return { rule, description: rules[rule].description, url: urlOf(rule), detail, lines };
}

function checkStages(dockerfile: Dockerfile, options: LintOptions): Finding[] {
  const given = globalVariables(dockerfile, options.buildArgs, options.platform);
  const defaults = globalVariables(dockerfile, {}, options.platform);
  const context: StageContext = {
    escapeToken: dockerfile.escapeToken,
    buildArgs: options.buildArgs,
    globals: given.values,
    ignore: readIgnore(options.ignore),
  };
  const found = checkFroms(dockerfile, given, defaults);
  const ends: StageKnowledge[] = [];
  for (const stage of dockerfile.stages) {
    const base = baseOf(dockerfile.stages, stage, given.values, dockerfile.escapeToken);
    const known = knowledgeOf(base, ends, options);
    const inside = checkStage(stage, known, context);
    ends.push(known);
    if (options.stages?.has(stage.index) === false) continue;
    found.push(...inside, ...adviseOnStage(stage, base));
  }
  const target = dockerfile.stages[options.target]!;
  return [...found, ...adviseOnUser(target, ends[options.target]!.user)];
}

function baseOf(
  stages: readonly Stage[],
  { index, from }: Stage,
  values: ReadonlyMap<string, string>,
  escapeToken: string,
): StageBase | undefined {
  const name = expanded(from.base, values, escapeToken)?.text ?? '';
  if (name === '') return undefined;
  if (name === 'scratch') return { type: 'scratch' };
  const stage = stages.slice(0, index).findLast(before => before.name === name.toLowerCase());
  return stage === undefined ? { type: 'image', reference: name } : { type: 'stage', index: stage.index };
}

function knowledgeOf(
  base: StageBase | undefined,
  ends: readonly StageKnowledge[],
  options: LintOptions,
): StageKnowledge {
  if (base?.type === 'stage') {
    const before = ends[base.index]!;
    return { ...before, env: new Map(before.env), declared: new Set(before.declared) };
  }
  const config = base?.type === 'image' ? options.baseConfig(base.reference) : {};
  const env = config === undefined ? new Map<string, string>() : envOf(config);
  if (!env.has('PATH')) env.set('PATH', '');
  return {
    env,
    declared: new Set(),
    anyVariable: config === undefined || base === undefined,
    hasShell: (config?.Shell?.length ?? 0) > 0,
    hasWorkdir: false,
    user: config?.User ?? '',
  };
}

function readIgnore(text: string): StageContext['ignore'] {
  const patterns = readPatterns(text);
  return patterns.length === 0 ? undefined : { rules: new IgnoreRules(patterns), patterns };
}
