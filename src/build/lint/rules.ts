import type { LineRange } from '../dockerfile/errors.ts';

/**
 * A rule of the linter. `warning` and `experimental` are BuildKit's, under its names; experimental ones speak only where
 * a Dockerfile asks for them. `advice` is ours: it is shown beside the warnings and fails nothing, until a Dockerfile
 * asks for it as for an experimental rule.
 */
export interface Rule {
  description: string;
  standing: 'warning' | 'experimental' | 'advice';
}

export const rules = {
  StageNameCasing: warning('Stage names should be lowercase'),
  FromAsCasing: warning("The 'as' keyword should match the case of the 'from' keyword"),
  NoEmptyContinuation: warning('Empty continuation lines will become errors in a future release'),
  ConsistentInstructionCasing: warning(
    'All commands within the Dockerfile should use the same casing (either upper or lower)',
  ),
  DuplicateStageName: warning('Stage names should be unique'),
  ReservedStageName: warning('Reserved words should not be used as stage names'),
  JSONArgsRecommended: warning(
    'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  ),
  MaintainerDeprecated: warning(
    'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  ),
  UndefinedArgInFrom: warning('FROM command must use declared ARGs'),
  UndefinedVar: warning('Variables should be defined before their use'),
  WorkdirRelativePath: warning(
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  ),
  MultipleInstructionsDisallowed: warning(
    'Multiple instructions of the same type should not be used in the same stage',
  ),
  LegacyKeyValueFormat: warning('Legacy key/value format with whitespace separator should not be used'),
  RedundantTargetPlatform: warning(
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  ),
  SecretsUsedInArgOrEnv: warning('Sensitive data should not be used in the ARG or ENV commands'),
  InvalidDefaultArgInFrom: warning(
    'Default value for global ARG results in an empty or invalid base image name',
  ),
  FromPlatformFlagConstDisallowed: warning('FROM --platform flag should not use a constant value'),
  CopyIgnoredFile: experimental('Attempting to Copy file that is excluded by .dockerignore'),
  ExposeProtoCasing: warning('Protocol in EXPOSE instruction should be lowercase'),
  ExposeInvalidFormat: warning(
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  ),
  InvalidDefinitionDescription: experimental(
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
  ),
  PinnedBaseImage: advice('A base image without a version can be another one at the next build'),
  RunsAsRoot: advice('A container that needs no root should not run as root'),
  MergeRunInstructions: advice('RUN instructions in a row can share one layer'),
  CacheOrder: advice('What changes often should be copied after what is slow to make'),
  AptCleanUp: advice("apt's package lists should not stay in the layer"),
  AptUpdateAlone: advice('apt-get update belongs into the RUN that installs'),
  AptRecommends: advice('Recommended packages are rarely needed in an image'),
  CopyInsteadOfAdd: advice('COPY says more clearly than ADD that files are copied'),
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;

/** What a rule found. */
export interface Finding {
  rule: RuleName;
  detail: string;
  lines: LineRange;
  /** Of the instruction it belongs to, whose comment can skip it; the lines shown may be others. */
  at?: number;
}

/** Where BuildKit's documentation has the rule; '' for rules of ours. */
export function urlOf(name: RuleName): string {
  if (rules[name].standing === 'advice') return '';
  const path = name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();
  return `https://docs.docker.com/go/dockerfile/rule/${path}/`;
}

function warning(description: string): Rule {
  return { description, standing: 'warning' };
}

function experimental(description: string): Rule {
  return { description, standing: 'experimental' };
}

function advice(description: string): Rule {
  return { description, standing: 'advice' };
}
