import assert from 'node:assert/strict';
import test from 'node:test';
import { DetachKeyFilter, parseDetachKeys } from './detach-keys.ts';

test('keys are the bytes a terminal sends', () => {
  assert.deepEqual(parseDetachKeys('ctrl-p,ctrl-q'), [16, 17]);
  assert.deepEqual(parseDetachKeys('a,ctrl-@,ctrl-['), [97, 0, 27]);
  assert.throws(() => parseDetachKeys('ctrl-1'), { message: "Unknown character: 'ctrl-1'" });
});

test('a sequence is found across chunks; what only began like one is passed on', () => {
  const filter = new DetachKeyFilter([16, 17]);
  assert.deepEqual(filter.push(Buffer.from('a\x10')), { pass: Buffer.from('a'), detached: false });
  assert.deepEqual(filter.push(Buffer.from('b\x10\x10')), {
    pass: Buffer.from('\x10b\x10'),
    detached: false,
  });
  assert.deepEqual(filter.push(Buffer.from('\x11zzz')), { pass: Buffer.alloc(0), detached: true });
});
