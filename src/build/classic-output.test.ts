import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClassicLine, ClassicOutput } from './classic-output.ts';
import type { BuildEvent, BuildStep } from './events.ts';

const step = (number: number, text: string): BuildStep => ({
  number,
  total: 4,
  stage: 0,
  index: number - 1,
  text,
  lines: { first: number, last: number },
  trigger: false,
});
const from = step(1, 'FROM a');
const run = step(2, 'RUN b');
const other = step(3, 'FROM c');
const cmd = step(4, 'CMD d');
const id = `sha256:${'ab'.repeat(32)}` as const;
const timeMs = 0;

function render(events: BuildEvent[]): string {
  const lines: ClassicLine[] = [];
  const output = new ClassicOutput(line => lines.push(line));
  for (const event of events) output.event(event);
  output.flush();
  return lines.map(line => (line.type === 'stream' ? line.text : `<${line.type}>`)).join('');
}

test('stages that run at once read as if they ran in order', () => {
  const text = render([
    { type: 'stepStarted', step: other, timeMs },
    { type: 'stepFinished', step: other, result: { stateId: id }, timeMs },
    { type: 'stepEnded', step: other },
    { type: 'stepStarted', step: cmd, timeMs },
    { type: 'stepStarted', step: from, timeMs },
    { type: 'stepFinished', step: from, result: {}, timeMs },
    { type: 'triggers', step: from, count: 1 },
    { type: 'stepStarted', step: { ...from, trigger: true, text: 'RUN t' }, timeMs },
    { type: 'stepCached', step: { ...from, trigger: true }, result: { stateId: id }, timeMs },
    { type: 'stepEnded', step: from },
    { type: 'stepStarted', step: run, timeMs },
    { type: 'stepRunning', step: run, runId: 'c'.repeat(64) },
    { type: 'log', step: run, stream: 'stdout', chunk: Buffer.from([0xe2, 0x82]) },
    { type: 'log', step: run, stream: 'stdout', chunk: Buffer.from([0xac, 0x0a]) },
    { type: 'stepFinished', step: cmd, result: { stateId: id }, timeMs },
    { type: 'stepEnded', step: cmd },
    { type: 'stepFinished', step: run, result: { stateId: id, runId: 'c'.repeat(64) }, timeMs },
    { type: 'stepEnded', step: run },
    { type: 'warning', text: 'careful' },
    { type: 'built', imageId: id },
    { type: 'tagged', reference: 'x:latest', asked: 'x' },
  ]);
  assert.deepEqual(text.split('\n'), [
    'Step 1/4 : FROM a',
    '# Executing 1 build trigger',
    ' ---> Using cache',
    ' ---> abababababab',
    'Step 2/4 : RUN b',
    ' ---> Running in cccccccccccc',
    '€',
    'Removing intermediate container cccccccccccc',
    ' ---> abababababab',
    'Step 3/4 : FROM c',
    ' ---> abababababab',
    'Step 4/4 : CMD d',
    ' ---> abababababab',
    '[Warning] careful',
    '<imageId>Successfully built abababababab',
    'Successfully tagged x:latest',
    '',
  ]);
});

test('what a failed build held back is written at the end', () => {
  const text = render([
    { type: 'stepStarted', step: from, timeMs },
    { type: 'stepStarted', step: other, timeMs },
    { type: 'stepFailed', step: other, error: new Error('x'), timeMs },
  ]);
  assert.equal(text, 'Step 1/4 : FROM a\nStep 3/4 : FROM c\n');
});
