import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareAnswers, compareJson } from './compare.ts';
import { Normaliser } from './normalise.ts';

describe('conformance comparison', () => {
  const answer = { code: 0, stdout: 'a\n', stderr: '' };

  test('equal answers agree, and each part that differs is named', () => {
    assert.deepEqual(compareAnswers({ run: 'x' }, answer, { ...answer }), []);
    const found = compareAnswers({ run: 'x' }, answer, { code: 1, stdout: 'b\n', stderr: 'c\n' });
    assert.deepEqual(
      found.map(line => line.split(':')[0]),
      ['exit code', 'stdout', 'stderr'],
    );
  });

  test('a step compares only what it names', () => {
    assert.deepEqual(
      compareAnswers({ run: 'x', compare: ['code'] }, answer, { ...answer, stdout: 'other' }),
      [],
    );
  });

  test('a known difference holds Gantry to its own pattern', () => {
    const step = { run: 'x', differs: { reason: 'newer', stdout: /^new$/ } };
    assert.deepEqual(compareAnswers(step, answer, { ...answer, stdout: 'new' }), []);
    assert.equal(compareAnswers(step, answer, answer).length, 1);
  });

  test('JSON: keys of the reference must be there, more keys are fine', () => {
    assert.deepEqual(compareJson({ a: 1 }, { a: 1, b: 2 }, []), []);
    assert.deepEqual(compareJson({ a: 1, c: { d: null } }, { a: 1, c: {} }, []), [
      'c.d: missing, reference null',
    ]);
    assert.equal(compareJson({ a: [] }, { a: null }, []).length, 1);
    assert.deepEqual(compareJson({ a: { Pid: 1 } }, { a: { Pid: 2 } }, []), []);
  });

  test('ids are numbered in order of appearance, so that two different ones stay different', () => {
    const normaliser = new Normaliser('/tmp/x/work/y', '/tmp/x');
    const [one, two] = ['a'.repeat(64), 'b'.repeat(64)];
    assert.equal(normaliser.text(`${one} ${two} ${one.slice(0, 12)}`), '<id 1> <id 2> <id 1>');
    assert.equal(normaliser.text(two), '<id 2>');
  });

  test('times, addresses and paths are blanked, the zero time is not', () => {
    const normaliser = new Normaliser('/tmp/x/work/y', '/tmp/x');
    assert.equal(
      normaliser.text('2026-01-02T03:04:05.678Z 172.18.0.3 02:42:ac:11:00:02'),
      '<time> <address> <mac>',
    );
    assert.equal(normaliser.text('0001-01-01T00:00:00Z'), '0001-01-01T00:00:00Z');
    assert.equal(normaliser.text('/tmp/x/work/y/f /tmp/x/data/overlay2/l'), '<directory>/f <engine path>');
  });
});
