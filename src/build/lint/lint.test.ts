import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageRunConfig } from '../../oci/image.ts';
import { checkDockerfile } from '../check.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { parseCheckOptions } from './check-options.ts';
import { type LintOptions, lintDockerfile, lintFailure } from './lint.ts';
import { failedReport, lintReport, statusOf, warningsText } from './report.ts';
import { type RuleName, rules, urlOf } from './rules.ts';

const own = { os: 'linux', architecture: 'amd64' };

function lint(text: string, options: Partial<LintOptions> = {}) {
  const dockerfile = parseDockerfile({ file: 'Dockerfile', text });
  return lintDockerfile(dockerfile, {
    buildArgs: {},
    platform: { target: own, own },
    target: dockerfile.stages.length - 1,
    ignore: '',
    baseConfig: () => ({}),
    ...options,
  });
}

/** A Dockerfile's lines, and what is said of it: `line rule: detail`. */
type Row = [text: string, ...said: string[]];

const rows: Record<string, Row[]> = {
  'names and casing': [
    ['FROM scratch AS Builder', "1 StageNameCasing: Stage name 'Builder' should be lowercase"],
    ['FROM scratch as base', "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"],
    ['from scratch AS base', "1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"],
    ['FROM --platform=$BUILDPLATFORM scratch AS b'],
    // A FROM that is neither is told of once.
    [
      'From scratch as b',
      "1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)",
    ],
    ['from scratch\ncopy a b'],
    [
      'FROM scratch\ncopy a b\nCOPY a c',
      "2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority (uppercase)",
    ],
    [
      'from scratch\ncopy a b\nCoPy a c',
      "3 ConsistentInstructionCasing: Command 'CoPy' should match the case of the command majority (lowercase)",
    ],
    [
      'FROM scratch AS a\nFROM scratch AS a',
      '2 DuplicateStageName: Duplicate stage name "a", stage names should be unique',
    ],
    [
      'FROM scratch AS context',
      '1 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
    ],
    [
      'FROM scratch\nMAINTAINER me',
      '2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label',
    ],
    ['FROM busybox\nRUN a && \\\n\n  b\nRUN <<E\n\nE', '4 NoEmptyContinuation: Empty continuation line'],
  ],
  'signals, places, repetition': [
    [
      'FROM busybox\nCMD a b',
      '2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
    ],
    [
      'FROM busybox\nENTRYPOINT a',
      '2 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals',
    ],
    ['FROM busybox\nSHELL ["/bin/sh", "-c"]\nCMD a b'],
    ['FROM busybox\nCMD ["a"]'],
    [
      'FROM busybox\nCMD',
      '2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
    ],
    [
      'FROM busybox\nWORKDIR app\nWORKDIR more',
      '2 WorkdirRelativePath: Relative workdir "app" can have unexpected results if the base image changes',
    ],
    ['FROM busybox AS a\nWORKDIR /app\nFROM a\nWORKDIR more'],
    [
      'FROM busybox\nCMD ["a"]\nCMD ["b"]',
      '2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
    ],
    ['FROM busybox AS a\nCMD ["a"]\nFROM a\nCMD ["b"]'],
    [
      'FROM busybox\nHEALTHCHECK NONE\nhealthcheck NONE',
      '2 MultipleInstructionsDisallowed: Multiple healthcheck instructions should not be used in the same stage because only the last one will be used',
      "3 ConsistentInstructionCasing: Command 'healthcheck' should match the case of the command majority (uppercase)",
    ],
    [
      'FROM scratch\nENV a b\nLABEL c d',
      '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
      '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
    ],
    [
      'FROM scratch\nEXPOSE 80/TCP 127.0.0.1:8080:80 90',
      "2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:8080:80'",
    ],
  ],
  variables: [
    [
      'ARG version=1\nFROM busybox:$verson',
      '2 InvalidDefaultArgInFrom: Default value for ARG busybox:$verson results in empty or invalid base image name',
      "2 UndefinedArgInFrom: FROM argument 'verson' is not declared (did you mean version?)",
    ],
    [
      'ARG base\nFROM $base',
      '2 InvalidDefaultArgInFrom: Default value for ARG $base results in empty or invalid base image name',
    ],
    [`ARG base=busybox:1\nFROM \${base}-musl@sha256:${'a'.repeat(64)}`],
    ['FROM scratch\nCOPY $dir .', "2 UndefinedVar: Usage of undefined variable '$dir'"],
    [
      'FROM scratch\nARG foo\nENV PTAH=$PAHT:$foo',
      "3 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)",
    ],
    ['FROM scratch AS a\nENV x=1\nFROM a\nCOPY $x /\nRUN echo $y'],
    ['FROM scratch\nARG a=1\nARG b=$a\nWORKDIR /$b'],
    [
      'FROM --platform=$TARGETPLATFORM scratch',
      '1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    ],
    [
      'FROM --platform=linux/amd64 scratch AS build',
      '1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"',
    ],
    ['FROM --platform=linux/amd64 scratch AS build-amd64'],
    [
      'FROM scratch\nARG API_KEY\nENV password=a PUBLIC_KEY=b',
      '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_KEY")',
      '3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "password")',
    ],
  ],
  'what the Dockerfile says of it': [
    ['# check=skip=all\nFROM scratch as Base'],
    ['# check=skip=FromAsCasing,StageNameCasing\nFROM scratch as Base'],
    [
      '# check=skip=FromAsCasing, StageNameCasing\nFROM scratch as Base',
      "2 StageNameCasing: Stage name 'Base' should be lowercase",
    ],
    ['FROM scratch\n# check=skip=SecretsUsedInArgOrEnv // it is none\nENV token=a'],
    ['# check=skip=all\n# syntax=docker/dockerfile:1\nFROM scratch as Base'],
    ['# a is not this\n\nFROM scratch'],
    [
      '# check=experimental=all\n# this is no description\nFROM scratch AS base\nUSER 1\n# base has it\n#\nARG a',
      '3 InvalidDefinitionDescription: Comment for FROM should follow the format: `# base <description>`',
    ],
    [
      '# check=experimental=InvalidDefinitionDescription\n# a says\nARG a\n# c\nARG b d\nFROM scratch',
      '5 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`',
    ],
    [
      '# check=experimental=PinnedBaseImage\nFROM busybox',
      '2 PinnedBaseImage: Base image busybox has no version: name a tag other than latest, or a digest',
    ],
  ],
};

for (const [group, table] of Object.entries(rows)) {
  describe(group, () => {
    for (const [text, ...said] of table) {
      test(JSON.stringify(text), () => {
        const { warnings } = lint(text);
        assert.deepEqual(
          warnings.map(({ rule, lines, detail }) => `${lines.first} ${rule}: ${detail}`),
          said,
        );
      });
    }
  });
}

const ignored: [ignore: string, copy: string, ...said: string[]][] = [
  [
    'Dockerfile',
    'COPY ./Dockerfile .',
    'Attempting to Copy file "Dockerfile" that is excluded by .dockerignore',
  ],
  ['docs', 'ADD docs/a b /', 'Attempting to Add file "docs/a" that is excluded by .dockerignore'],
  ['*', 'COPY . .', 'Attempting to Copy file "." that is excluded by .dockerignore'],
  ['.*', 'COPY . .'],
  ['*\n!a', 'COPY b .'],
  ['a', 'COPY --from=base a .'],
  ['a', 'ADD https://example.com/a .'],
  ['', 'COPY a .'],
];
for (const [ignore, copy, ...said] of ignored) {
  test(`${copy} with .dockerignore ${JSON.stringify(ignore)}`, () => {
    const text = `# check=experimental=CopyIgnoredFile\nFROM scratch\n${copy}\nUSER 1`;
    const { warnings } = lint(text, { ignore });
    assert.deepEqual(
      warnings.map(({ detail }) => detail),
      said,
    );
  });
}

test('variables of the base image are known, those of an unknown one may be anything', () => {
  const text = 'FROM busybox:1\nCOPY $HOME $other /\nCMD a';
  const config: ImageRunConfig = { Env: ['HOME=/root'], Shell: ['/bin/ash', '-c'] };
  const names = (baseConfig: LintOptions['baseConfig']) =>
    lint(text, { baseConfig }).warnings.map(({ detail }) => detail.replace(/ \(.*/, ''));
  assert.deepEqual(
    names(() => config),
    ["Usage of undefined variable '$other'"],
  );
  assert.deepEqual(
    names(() => undefined).filter(detail => detail.includes('variable')),
    [],
  );
});

test('stages the target does not need are looked into only as far as their text goes', () => {
  const text = 'FROM scratch as a\nENV token=1\nFROM scratch AS b';
  assert.deepEqual(
    lint(text, { stages: new Set([1]) }).warnings.map(({ rule }) => rule),
    ['FromAsCasing'],
  );
});

const advised: [text: string, ...said: RuleName[]][] = [
  ['FROM busybox\nUSER 1', 'PinnedBaseImage'],
  ['FROM busybox:latest\nUSER 1', 'PinnedBaseImage'],
  ['FROM localhost:5000/busybox\nUSER 1', 'PinnedBaseImage'],
  ['FROM busybox:1.37 AS a\nFROM a\nUSER app:app'],
  ['FROM busybox:1', 'RunsAsRoot'],
  ['FROM busybox:1\nUSER app\nUSER root', 'RunsAsRoot'],
  ['FROM busybox:1\nRUN a\nRUN b\nCOPY c /\nRUN d\nUSER 1', 'MergeRunInstructions'],
  ['FROM busybox:1\nRUN a\nRUN --mount=type=cache,target=/c b\nUSER 1'],
  ['FROM node:20\nCOPY . .\nRUN npm ci\nUSER 1', 'CacheOrder'],
  ['FROM node:20\nCOPY package.json .\nRUN npm ci\nCOPY . .\nUSER 1'],
  ['FROM debian:12\nRUN apt-get update\nUSER 1', 'AptUpdateAlone'],
  ['FROM debian:12\nRUN apt-get update && apt-get install -y curl\nUSER 1', 'AptCleanUp', 'AptRecommends'],
  [
    'FROM debian:12\nRUN apt-get update && apt-get -y install --no-install-recommends a && rm -rf /var/lib/apt/lists/*\nUSER 1',
  ],
  [
    'FROM debian:12\nRUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install --no-install-recommends a\nUSER 1',
  ],
  ['FROM scratch\nADD a /b\nUSER 1', 'CopyInsteadOfAdd'],
  ['FROM scratch\nADD a.tar.gz https://example.com/x /b\nUSER 1'],
  ['# check=skip=RunsAsRoot\nFROM busybox:1'],
];
for (const [text, ...said] of advised) {
  test(`advice on ${JSON.stringify(text)}`, () => {
    const { warnings, advice } = lint(text);
    assert.deepEqual(
      advice.map(({ rule }) => rule),
      said,
    );
    assert.deepEqual(warnings, []);
  });
}

test('error=true fails a build for warnings, not for advice', () => {
  const failed = lint('# check=error=true\nFROM busybox as a\nENV token=1');
  assert.equal(failed.fails, true);
  assert.equal(
    lintFailure(failed).message,
    'lint violation found for rules: FromAsCasing, SecretsUsedInArgOrEnv',
  );
  assert.equal(lint('# check=error=true\nFROM busybox').fails, false);
});

test('options that cannot be read', () => {
  for (const [text, message] of [
    ['skip', 'invalid check option "skip"'],
    ['only=a', 'invalid check option "only"'],
    [
      'error=maybe',
      'failed to parse check option "error=maybe": strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ] as const) {
    assert.throws(() => parseCheckOptions(text), { message });
  }
  assert.throws(() => lint('# check=nonsense\nFROM scratch'), {
    message: 'failed to parse check options: invalid check option "nonsense"',
  });
});

test('a report has the warnings beside what keeps the Dockerfile from being built', () => {
  const check = (text: string, target = '') => {
    const context = { images: { find: () => undefined }, platform: own, ignore: '' };
    const { report } = checkDockerfile(
      { file: 'Dockerfile', text },
      { buildArgs: {}, platform: '', target },
      context,
    );
    return [report.warnings?.map(({ ruleName }) => ruleName) ?? [], report.buildError?.message];
  };
  assert.deepEqual(check('# check=error=true\nFROM scratch as a'), [
    ['FromAsCasing'],
    'lint violation found for rules: FromAsCasing',
  ]);
  assert.deepEqual(check('ARG b\nFROM $b'), [
    ['InvalidDefaultArgInFrom'],
    'base name ($b) should not be blank',
  ]);
  assert.deepEqual(check('FROM scratch as a\nENV token=1\nFROM scratch', '1'), [['FromAsCasing'], undefined]);
  assert.deepEqual(check('# check=what\nFROM scratch'), [
    [],
    'failed to parse check options: invalid check option "what"',
  ]);
});

test('every rule has its address, ours have none', () => {
  assert.equal(
    urlOf('JSONArgsRecommended'),
    'https://docs.docker.com/go/dockerfile/rule/json-args-recommended/',
  );
  assert.equal(
    urlOf('SecretsUsedInArgOrEnv'),
    'https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/',
  );
  assert.equal(urlOf('RunsAsRoot'), '');
  assert.equal(Object.keys(rules).length, 29);
});

test('the report as clients get it', () => {
  const source = { file: 'Dockerfile', text: 'FROM busybox:1\nUSER 1\nCMD a\n' };
  const result = lint(source.text);
  assert.equal(
    warningsText(source, result),
    `
WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
Dockerfile:3
--------------------
   1 |     FROM busybox:1
   2 |     USER 1
   3 | >>> CMD a
   4 |${' '}
--------------------
`.replace('   4 | \n', '   4 |     \n'),
  );
  const report = lintReport(source, result);
  assert.equal(statusOf(report), 1);
  assert.deepEqual(report.warnings?.[0]?.location, {
    ranges: [{ start: { line: 3 }, end: { line: 3 } }],
  });
  assert.equal(statusOf(lintReport(source, { warnings: [], advice: [], fails: false })), 0);
});

test('the report on a Dockerfile that cannot be parsed', () => {
  const source = { file: 'Dockerfile', text: 'FROM x\nFORM y\n' };
  let error: unknown;
  try {
    parseDockerfile(source);
  } catch (thrown) {
    error = thrown;
  }
  const report = failedReport(source, error as Error);
  assert.equal(
    report.buildError?.message,
    'dockerfile parse error line 2: unknown instruction: FORM (did you mean FROM?)',
  );
  assert.deepEqual(report.buildError?.location.ranges, [{ start: { line: 2 }, end: { line: 2 } }]);
  assert.equal(statusOf(report), 1);
});
