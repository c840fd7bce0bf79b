import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BuildStep } from '../../build/events.ts';
import { EngineError } from '../../stdx/errors.ts';
import { StatusLog } from './status-log.ts';
import { Vertices } from './vertices.ts';

function steps(...texts: [stage: number, text: string, stageName?: string][]): BuildStep[] {
  const counts = new Map<number, number>();
  return texts.map(([stage, text, stageName], at) => {
    const index = counts.get(stage) ?? 0;
    counts.set(stage, index + 1);
    const lines = { first: at + 1, last: at + 1 };
    return { number: at + 1, total: texts.length, stage, stageName, index, text, lines, trigger: false };
  });
}

async function told(log: StatusLog) {
  log.end();
  const updates = [];
  for await (const update of log.follow(new AbortController().signal)) updates.push(update);
  return updates;
}

describe("a build's events as vertices", () => {
  test('steps are counted as BuildKit counts them', async () => {
    const log = new StatusLog();
    const vertices = new Vertices('ref', log);
    const all = steps(
      [0, 'FROM busybox AS tools', 'tools'],
      [0, 'RUN make', 'tools'],
      [1, 'FROM tools'],
      [1, 'ENV A=1'],
      [1, 'COPY $A /a'],
    );
    vertices.event({ type: 'planned', steps: all, alone: false });
    for (const step of all) {
      if (step.text === 'COPY $A /a') step.shown = 'COPY a /a';
      vertices.event({ type: 'stepStarted', step, timeMs: 1000 });
      const type = step.text.startsWith('RUN') ? 'stepCached' : 'stepFinished';
      vertices.event({ type, step, result: {}, timeMs: 2000 });
    }
    const ended = (await told(log)).flatMap(({ vertexes }) => vertexes ?? []).filter(one => one.completed);
    assert.deepEqual(
      ended.map(({ name, cached }) => [name, cached]),
      [
        // Nothing was pulled: it was here.
        ['[tools 1/2] FROM busybox AS tools', true],
        ['[tools 2/2] RUN make', true],
        ['[stage-1 1/1] COPY a /a', false],
      ],
    );
    assert.deepEqual(ended[1]!.inputs, [ended[0]!.digest]);
    assert.match(ended[0]!.digest!, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual([vertices.total, vertices.completed, vertices.cached], [3, 3, 2]);
  });

  test('a step that is the same for two platforms is one vertex', async () => {
    const log = new StatusLog();
    const vertices = new Vertices('ref', log);
    const both = ['linux/arm64', 'linux/amd64'].map(target => {
      const platform = { target, label: 'linux/amd64' };
      return steps([0, 'RUN make']).map(step => ({ ...step, platform }));
    });
    for (const planned of both) vertices.event({ type: 'planned', steps: planned, alone: true });
    for (const [step] of both) vertices.event({ type: 'stepStarted', step: step!, timeMs: 1 });
    for (const [step] of both) {
      vertices.event({ type: 'log', step: step!, stream: 'stdout', chunk: Buffer.from('made\n') });
      vertices.event({ type: 'stepFinished', step: step!, result: {}, timeMs: 2 });
    }
    const updates = await told(log);
    const seen = updates.flatMap(({ vertexes }) => vertexes ?? []);
    assert.deepEqual(
      seen.map(({ name, completed }) => [name, completed !== undefined]),
      [
        ['[linux/amd64 1/1] RUN make', false],
        ['[linux/amd64 1/1] RUN make', true],
      ],
    );
    assert.equal(updates.flatMap(({ logs }) => logs ?? []).length, 1);
    assert.deepEqual([vertices.total, vertices.completed], [1, 1]);
  });

  test('a failure comes from whoever meets it, and once', async () => {
    const log = new StatusLog();
    const vertices = new Vertices('ref', log);
    const [first, second] = ['linux/arm64', 'linux/amd64'].map(target => ({
      ...steps([0, 'RUN make'])[0]!,
      platform: { target, label: 'linux/amd64' },
    }));
    for (const step of [first!, second!]) vertices.event({ type: 'planned', steps: [step], alone: true });
    for (const step of [first!, second!]) vertices.event({ type: 'stepStarted', step, timeMs: 1 });
    const failed = (step: BuildStep, error: EngineError) =>
      vertices.event({ type: 'stepFailed', step, error, timeMs: 2 });
    failed(second!, new EngineError('invalid', 'no rule'));
    failed(first!, new EngineError('cancelled', 'build cancelled'));
    const seen = (await told(log)).flatMap(({ vertexes }) => vertexes ?? []);
    assert.deepEqual(
      seen.map(({ error }) => error).filter(error => error !== undefined),
      ['no rule'],
    );
  });

  test('what a step says is cut at a limit, what ends it is told in the words clients know', async () => {
    const log = new StatusLog();
    const vertices = new Vertices('ref', log);
    const [step] = steps([0, 'RUN yes']);
    vertices.event({ type: 'planned', steps: [step!], alone: true });
    vertices.event({ type: 'stepStarted', step: step!, timeMs: 1 });
    const chunk = Buffer.alloc(1024 * 1024, 'y');
    for (let count = 0; count < 5; count++) {
      vertices.event({ type: 'log', step: step!, stream: 'stdout', chunk });
    }
    const error = new EngineError('cancelled', 'build cancelled');
    vertices.event({ type: 'stepFailed', step: step!, error, timeMs: 2 });
    const updates = await told(log);
    const output = Buffer.concat(updates.flatMap(({ logs }) => (logs ?? []).map(one => one.data!)));
    assert.equal(output.indexOf('\n[output clipped, log limit 2MiB reached]\n'), 2 * 1024 * 1024);
    assert.ok(output.length < 2 * 1024 * 1024 + 100);
    assert.equal(updates.at(-1)!.vertexes![0]!.error, 'context canceled');
  });
});
