import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageRunConfig } from '../oci/image.ts';
import { type ConfigInstruction, configure } from './configure.ts';
import { parseDockerfile } from './dockerfile/parse.ts';
import { type BuildState, imageConfigOf, scratchState, withLayer } from './state.ts';

function apply(
  text: string,
  base: ImageRunConfig = {},
  buildArgs: Record<string, string> = {},
  asBuildKit = false,
): BuildState {
  const { stages } = parseDockerfile({ file: 'Dockerfile', text: `FROM x\n${text}` });
  let state: BuildState = { ...scratchState({ os: 'linux', architecture: 'amd64' }), config: base };
  for (const instruction of stages[0]!.instructions) {
    state = configure(state, instruction as ConfigInstruction, {
      escapeToken: '\\',
      buildArgs,
      globalArgs: new Map([['GLOBAL', 'g']]),
      asBuildKit,
    });
  }
  return state;
}

const cases: [text: string, base: ImageRunConfig, changed: ImageRunConfig, history: string][] = [
  ['ENV A=1 B="2 3"', { Env: ['A=0'] }, { Env: ['A=1', 'B=2 3'] }, 'ENV A=1 B=2 3'],
  // Values see the variables as they were before the instruction.
  ['ENV A=2 B=$A', { Env: ['A=1'] }, { Env: ['A=2', 'B=1'] }, 'ENV A=2 B=1'],
  ['ENV A one $B', { Env: ['B=2'] }, { Env: ['B=2', 'A=one 2'] }, 'ENV A=one 2'],
  [
    'LABEL a.b="c d" e=$X',
    { Env: ['X=1'], Labels: { z: 'z' } },
    { Labels: { z: 'z', 'a.b': 'c d', e: '1' } },
    'LABEL a.b=c d e=1',
  ],
  ['USER $U:g', { Env: ['U=me'] }, { User: 'me:g' }, 'USER me:g'],
  [
    'EXPOSE 80 53/udp 9000-9001',
    {},
    { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '9000/tcp': {}, '9001/tcp': {} } },
    'EXPOSE [53/udp 80/tcp 9000/tcp 9001/tcp]',
  ],
  [
    'VOLUME /a /b',
    { Volumes: { '/z': {} } },
    { Volumes: { '/z': {}, '/a': {}, '/b': {} } },
    'VOLUME [/a /b]',
  ],
  ['CMD ["a", "b\\"c"]', {}, { ArgsEscaped: true, Cmd: ['a', 'b"c'] }, 'CMD ["a" "b\\"c"]'],
  [
    'CMD echo $X',
    {},
    { ArgsEscaped: true, Cmd: ['/bin/sh', '-c', 'echo $X'] },
    'CMD ["/bin/sh" "-c" "echo $X"]',
  ],
  [
    'CMD echo',
    { Shell: ['/bin/bash', '-ec'] },
    { ArgsEscaped: true, Cmd: ['/bin/bash', '-ec', 'echo'] },
    'CMD ["/bin/bash" "-ec" "echo"]',
  ],
  ['CMD []', { Cmd: ['x'] }, { ArgsEscaped: true, Cmd: [] }, 'CMD []'],
  ['ENTRYPOINT ["e"]', { Cmd: ['base'] }, { Entrypoint: ['e'] }, 'ENTRYPOINT ["e"]'],
  ['SHELL ["/bin/bash", "-c"]', {}, { Shell: ['/bin/bash', '-c'] }, 'SHELL [/bin/bash -c]'],
  ['STOPSIGNAL SIGQUIT', {}, { StopSignal: 'SIGQUIT' }, 'STOPSIGNAL SIGQUIT'],
  [
    'HEALTHCHECK NONE',
    {},
    { Healthcheck: { Test: ['NONE'] } },
    'HEALTHCHECK &{["NONE"] "0s" "0s" "0s" "0s" \'\\x00\'}',
  ],
  [
    'HEALTHCHECK --interval=90s --retries=3 CMD x',
    {},
    { Healthcheck: { Test: ['CMD-SHELL', 'x'], Interval: 90e9, Retries: 3 } },
    'HEALTHCHECK &{["CMD-SHELL" "x"] "1m30s" "0s" "0s" "0s" \'\\x03\'}',
  ],
  ['MAINTAINER me', {}, {}, 'MAINTAINER me'],
  ['ARG A=1 B GLOBAL', {}, {}, 'ARG A=1 B GLOBAL=g'],
];

test('what each instruction does to the configuration and the history', () => {
  for (const [text, base, changed, createdBy] of cases) {
    const state = apply(text, base);
    const untouched = text.startsWith('ENTRYPOINT') ? {} : base;
    assert.deepEqual(JSON.parse(JSON.stringify(state.config)), { ...untouched, ...changed }, text);
    const entry = { created_by: createdBy, comment: 'buildkit.dockerfile.v0', empty_layer: true };
    assert.deepEqual(state.history.at(-1), entry, text);
  }
});

test('CMD and ENTRYPOINT with nothing after them are an empty line of the shell to BuildKit', () => {
  assert.deepEqual(apply('CMD').config.Cmd, ['/bin/sh', '-c']);
  const { Cmd, Entrypoint } = apply('CMD\nENTRYPOINT', {}, {}, true).config;
  assert.deepEqual([Cmd, Entrypoint], Array(2).fill(['/bin/sh', '-c', '']));
  assert.deepEqual(apply('CMD []', {}, {}, true).config.Cmd, []);
});

test("CMD of the same stage survives ENTRYPOINT, the base's does not", () => {
  assert.deepEqual(apply('CMD ["a"]\nENTRYPOINT ["b"]').config.Cmd, ['a']);
  assert.equal(apply('ENTRYPOINT ["b"]', { Cmd: ['a'] }).config.Cmd, undefined);
});

test('ARG: given wins over default, default over global; of ARG and ENV the later', () => {
  const value = (text: string, args = {}): string => apply(`${text}\nUSER $A`, {}, args).config.User!;
  assert.equal(value('ARG A=d\nARG A'), 'd');
  assert.equal(value('ARG A=d'), 'd');
  assert.equal(value('ARG A=d', { A: 'given' }), 'given');
  assert.equal(value('ENV A=env\nARG A=d', { A: 'given' }), 'given');
  assert.equal(value('ENV A=env\nARG A'), 'env');
  assert.equal(value('ARG A=d\nENV A=env', { A: 'given' }), 'env');
  assert.equal(value('USER x', { A: 'given' }), '');
  assert.equal(apply('ARG GLOBAL=own\nUSER $GLOBAL').config.User, 'own');
  assert.equal(apply('ARG GLOBAL\nUSER $GLOBAL').config.User, 'g');
  assert.equal(apply('ARG A=1 B=$A\nUSER $B').config.User, '1');
});

test('ONBUILD is kept for later and leaves no history', () => {
  const state = apply('ONBUILD RUN a\nONBUILD COPY b c');
  assert.deepEqual(state.config.OnBuild, ['RUN a', 'COPY b c']);
  assert.equal(state.history.length, 0);
});

const faults: [string, string][] = [
  ['EXPOSE 80/foo', 'Invalid proto: foo'],
  ['EXPOSE x', 'Invalid containerPort: x'],
  ['EXPOSE 70000', 'Invalid containerPort: 70000'],
  ['EXPOSE 9-8', 'Invalid containerPort: 9-8: invalid range specified for port'],
  ['STOPSIGNAL not a signal', 'Invalid signal: not a signal'],
  ['USER ${U:?who}', 'failed to process "${U:?who}": U: who'],
];

test('faults', () => {
  for (const [text, message] of faults) assert.throws(() => apply(text), { message }, text);
});

test('times: of the layer before, or the first new one; never later than the epoch', () => {
  const base = { ...scratchState({ os: 'linux', architecture: 'amd64' }), config: {} };
  const old = {
    ...base,
    base: { layers: 0, history: 1 },
    history: [{ created: '2020-01-01T00:00:00.000Z', created_by: 'base' }],
  };
  const step = (state: BuildState): BuildState => ({
    ...state,
    history: [...state.history, { created_by: 'ENV' }],
  });
  const layer = (state: BuildState): BuildState =>
    withLayer(state, { createdMs: Date.UTC(2026, 0, 2) }, 'RUN');
  const times = (state: BuildState, epochMs?: number) =>
    imageConfigOf(state, { epochMs }).history!.map(entry => entry.created!.slice(0, 10));
  assert.deepEqual(times(step(old)), ['2020-01-01', '2020-01-01']);
  assert.deepEqual(times(step(layer(step(old)))), ['2020-01-01', '2026-01-02', '2026-01-02', '2026-01-02']);
  assert.deepEqual(times(layer(step(base))), ['2026-01-02', '2026-01-02']);
  assert.deepEqual(times(layer(old), Date.UTC(2021, 0, 1)), ['2020-01-01', '2021-01-01']);
  assert.equal(imageConfigOf(layer(step(old))).created, '2026-01-02T00:00:00Z');
  assert.equal(imageConfigOf(layer(old), { epochMs: 0 }).created, '1970-01-01T00:00:00Z');
  const committed = imageConfigOf(layer(step(old)), { commitMs: Date.UTC(2027, 0, 1) });
  assert.deepEqual(
    [committed.created, ...committed.history!.map(entry => entry.created!.slice(0, 10))],
    ['2027-01-01T00:00:00Z', '2020-01-01', '2027-01-01', '2027-01-01'],
  );
});
