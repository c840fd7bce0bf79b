import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogSegments } from '../runtime/logs/log-segments.ts';
import { planRotation, type RotationState } from './log-rotation.ts';

const limits = { maxSizeBytes: 100, maxFiles: 3, compress: true };

/** `1z` is number 1, compressed; `2` number 2, plain. */
function segments(...names: string[]): LogSegments {
  const rotated = names.map(name => {
    const number = Number.parseInt(name, 10);
    return name.endsWith('z')
      ? { number, plain: undefined, compressed: `log.${number}.gz` }
      : { number, plain: `log.${number}`, compressed: undefined };
  });
  return { rotated, currentNumber: (rotated.at(-1)?.number ?? 0) + 1, hasCurrent: true };
}

function plan(existing: LogSegments, changes: Partial<RotationState>): string {
  const { rotate, reopen, remove, empty, compress, lostToSink } = planRotation(existing, {
    limits,
    currentSizeBytes: 10,
    sizeOf: () => 50,
    sinkSegment: undefined,
    ...changes,
  });
  const words = [rotate ? 'rotate' : '', reopen ? 'reopen' : ''];
  for (const [what, paths] of Object.entries({ remove, empty, compress, lost: lostToSink })) {
    if (paths.length > 0) words.push(`${what} ${paths.join(' ')}`);
  }
  return words.filter(word => word !== '').join(', ');
}

test('a log that has grown begins a new file; the oldest goes', () => {
  assert.equal(plan(segments(), { currentSizeBytes: 101 }), 'rotate, reopen');
  assert.equal(plan(segments('1z', '2z'), { currentSizeBytes: 101 }), 'rotate, reopen, remove log.1.gz');
});

test('a file is compressed once there is a newer one', () => {
  assert.equal(plan(segments('1z', '2'), {}), 'compress log.2');
  assert.equal(plan(segments('1z', '2'), { limits: { ...limits, compress: false } }), '');
});

test('what a killed daemon had renamed gets its successor', () => {
  assert.equal(plan(segments('1'), { currentSizeBytes: undefined }), 'reopen');
  assert.equal(plan(segments(), { currentSizeBytes: undefined }), '');
});

test('the last number stays, as an empty file', () => {
  assert.equal(plan(segments('7'), { limits: { ...limits, maxFiles: 1 } }), 'empty log.7');
  assert.equal(plan(segments('7'), { limits: { ...limits, maxFiles: 1 }, sizeOf: () => 0 }), '');
  assert.equal(
    plan(segments('7'), { limits: { ...limits, maxFiles: 1 }, currentSizeBytes: 101 }),
    'rotate, reopen, remove log.7',
  );
});

test('what a sink has not read stays beyond the limits, but not without end', () => {
  const many = segments('1z', '2z', '3z', '4z');
  assert.equal(plan(many, {}), 'remove log.2.gz log.1.gz');
  assert.equal(plan(many, { sinkSegment: 2 }), 'remove log.1.gz');
  assert.equal(
    plan(many, { sinkSegment: 1, sizeOf: () => 400 << 20 }),
    'remove log.2.gz log.1.gz, lost log.2.gz log.1.gz',
  );
});
