import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from './dockerfile/parse.ts';
import { describeGraph, type GraphOptions, planGraph } from './graph.ts';

const own = { os: 'linux', architecture: 'amd64' };

function plan(lines: string[], options: Partial<GraphOptions> = {}) {
  const dockerfile = parseDockerfile({ file: 'Dockerfile', text: lines.join('\n') });
  return planGraph(dockerfile, { target: '', buildArgs: {}, platform: '', ownPlatform: own, ...options });
}

const graphs: [string[], Partial<GraphOptions>, string[]][] = [
  [['FROM a'], {}, ['0: a linux/amd64']],
  [['FROM scratch AS x'], {}, ['0 x: scratch linux/amd64']],
  // Only what the target needs.
  [['FROM a AS x', 'FROM b AS y', 'FROM x AS z'], {}, ['0 x: a linux/amd64', '2 z: #0 linux/amd64 needs 0']],
  [['FROM a AS x', 'FROM b AS y'], { target: 'X' }, ['0 x: a linux/amd64']],
  [['FROM a AS x', 'FROM b AS y'], { target: '0' }, ['0 x: a linux/amd64']],
  [
    ['FROM a AS x', 'FROM b', 'FROM c', 'COPY --from=x /a /a', 'RUN --mount=type=bind,from=1,target=/b c'],
    {},
    ['0 x: a linux/amd64', '1: b linux/amd64', '2: c linux/amd64 needs 0 1'],
  ],
  // A name that is no stage is an image.
  [['FROM a', 'COPY --from=nginx:1 /a /a'], {}, ['0: a linux/amd64']],
  // Variables.
  [['ARG V=1', 'ARG B=img:$V', 'FROM $B'], {}, ['0: img:1 linux/amd64']],
  [['ARG V=1', 'FROM img:${V:-2}'], { buildArgs: { V: '3' } }, ['0: img:3 linux/amd64']],
  [['ARG V', 'FROM img:${V:-2}'], { buildArgs: { V: null } }, ['0: img:2 linux/amd64']],
  [['FROM $TARGETARCH'], { buildArgs: { TARGETARCH: 'mine' } }, ['0: mine linux/amd64']],
  // Global arguments are seen by FROM alone, in their order.
  [['ARG A=$B', 'ARG B=1', 'FROM x$A$B'], {}, ['0: x1 linux/amd64']],
  // Named contexts come before stages and images.
  [
    ['FROM a AS x', 'RUN b', 'FROM Debian:latest', 'COPY --from=x c d', 'COPY --from=e f g'],
    { contexts: { x: { type: 'image', reference: 'y' }, debian: { type: 'git', url: 'z' } } },
    ['0 x: y linux/amd64', '1: context debian linux/amd64 needs 0'],
  ],
  [
    ['FROM a AS x', 'COPY --from=y b c', 'FROM d AS y', 'FROM x'],
    { contexts: { x: { type: 'directory', directory: '/d' }, scratch: { type: 'image', reference: 'e' } } },
    ['0 x: context x linux/amd64', '2: #0 linux/amd64 needs 0'],
  ],
  [
    ['FROM --platform=$BUILDPLATFORM a', 'FROM b', 'COPY --from=0 x y'],
    { platform: 'linux/arm64' },
    ['0: a linux/amd64', '1: b linux/arm64 needs 0'],
  ],
];

test('what a target needs', () => {
  for (const [lines, options, expected] of graphs)
    assert.deepEqual(describeGraph(plan(lines, options)).split('\n'), expected, lines.join(' / '));
});

const faults: [string[], Partial<GraphOptions>, string][] = [
  [['FROM a'], { target: 'x' }, 'failed to reach build target x in Dockerfile'],
  [['FROM a'], { target: '1' }, 'failed to reach build target 1 in Dockerfile'],
  [['FROM $X'], {}, 'base name ($X) should not be blank'],
  [['FROM a AS x', 'COPY --from=x a b'], {}, 'circular dependency detected on stage: x'],
  [
    ['FROM a AS x', 'COPY --from=y a b', 'FROM x AS y'],
    {},
    'cannot copy from stage "y", it needs to be defined before current stage "x"',
  ],
  // Of a stage that nobody needs, too.
  [
    ['FROM b AS a', 'COPY --from=b x y', 'FROM c AS b'],
    {},
    'cannot copy from stage "b", it needs to be defined before current stage "a"',
  ],
  [['FROM a', 'COPY --from=7 a b'], {}, 'invalid from flag value 7: invalid stage index 7'],
  [['FROM --platform=a/b/c/d x'], {}, '"a/b/c/d": invalid platform: want os[/arch[/variant]]'],
  [['FROM ${X:?none}'], {}, 'failed to process "${X:?none}": X: none'],
];

test('faults', () => {
  for (const [lines, options, message] of faults) {
    assert.throws(
      () => plan(lines, options),
      (error: unknown) => {
        assert.equal((error as Error).message.split('\n')[0], message, lines.join(' / '));
        return true;
      },
    );
  }
});

test('declared arguments', () => {
  const { declaredArgs } = plan(['ARG a', 'FROM x AS x', 'ARG b', 'FROM y', 'ARG c=1 d']);
  assert.deepEqual([...declaredArgs], ['a', 'c', 'd']);
});
