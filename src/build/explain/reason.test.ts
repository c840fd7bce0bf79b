import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareInputs, describeReason, type InputFile, type StepInputs } from './reason.ts';

const file = (path: string, digest: string, attributes = '644 0:0'): InputFile => ({
  path,
  digest,
  attributes,
});
const inputs = (changes: Partial<StepInputs> = {}): StepInputs => ({
  parts: { step: 'run', args: ['/bin/sh', '-c', 'make'], env: ['PATH=/bin', 'V=1'], user: '' },
  parent: 'sha256:below',
  files: [file('src/a', '1'), file('src/b', '2')],
  argumentNames: ['V'],
  ...changes,
});

const cases: [string, Partial<StepInputs>, string | undefined][] = [
  ['nothing', {}, undefined],
  ['content', { files: [file('src/a', '9'), file('src/b', '2')] }, 'src/a changed'],
  [
    'mode',
    { files: [file('src/a', '1', '755 0:0'), file('src/b', '2')] },
    'src/a has other attributes from 644 0:0 to 755 0:0',
  ],
  ['a new file', { files: [file('src/a', '1'), file('src/b', '2'), file('src/c', '3')] }, 'src/c is new'],
  ['a file gone', { files: [file('src/a', '1')] }, 'src/b is gone'],
  [
    'content before the mode, and how many',
    { files: [file('src/a', '1', '755 0:0'), file('src/b', '7')] },
    'src/b changed, and 1 more',
  ],
  [
    'an argument',
    { parts: { ...inputs().parts, env: ['PATH=/bin', 'V=2'] } },
    'build argument V changed from 1 to 2',
  ],
  [
    'a variable',
    { parts: { ...inputs().parts, env: ['PATH=/sbin', 'V=1'] } },
    'variable PATH changed from /bin to /sbin',
  ],
  [
    'a variable more',
    { parts: { ...inputs().parts, env: ['PATH=/bin', 'V=1', 'N=x'] } },
    'variable N is new',
  ],
  [
    'an argument less',
    { parts: { ...inputs().parts, env: ['PATH=/bin'] }, argumentNames: [] },
    'build argument V is gone',
  ],
  ['a user', { parts: { ...inputs().parts, user: 'web' } }, 'USER changed from nothing to web'],
  [
    'the shell',
    { parts: { ...inputs().parts, args: ['/bin/bash', '-c', 'make'] } },
    'SHELL changed from /bin/sh -c make to /bin/bash -c make',
  ],
  ['what is below', { parent: 'sha256:other' }, 'the files below it are others'],
  [
    'its own change before what is below',
    { parent: 'sha256:other', files: [file('src/a', '1')] },
    'src/b is gone',
  ],
];

test('the one reason why a key is another', () => {
  for (const [what, changes, expected] of cases) {
    const reason = compareInputs(inputs(), inputs(changes));
    assert.equal(reason && describeReason(reason), expected, what);
  }
});

test('sentences of the other reasons', () => {
  assert.deepEqual(
    [
      describeReason({ kind: 'parent', origin: { number: 3, text: 'RUN make' } }),
      describeReason({ kind: 'base', before: `sha256:${'a'.repeat(64)}`, after: `sha256:${'b'.repeat(64)}` }),
      describeReason({ kind: 'instruction', before: 'RUN make' }),
      describeReason({ kind: 'unchanged', from: 'registry/cache' }),
      describeReason({ kind: 'argument', name: 'KEY', before: 'x'.repeat(99), after: 'y'.repeat(99) }),
    ],
    [
      'RUN make, on which it builds, was built anew',
      'the base image changed from aaaaaaaaaaaa to bbbbbbbbbbbb',
      'the instruction changed; it was RUN make',
      'imported from registry/cache',
      'build argument KEY changed',
    ],
  );
});
