import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachDetector, parseDetachKeys } from './detach-keys.ts';

test('the default is ctrl-p, ctrl-q', () => {
  assert.deepEqual(parseDetachKeys(undefined), Buffer.from([16, 17]));
  assert.deepEqual(parseDetachKeys('ctrl-@,x,DEL,ctrl-_'), Buffer.from([0, 120, 127, 31]));
});

test('what is no key is refused', () => {
  for (const keys of ['ctrl-', 'ctrl-1', 'ab', 'ctrl-p,']) {
    assert.throws(() => parseDetachKeys(keys), /Invalid detach keys/);
  }
});

const feeds: [string[], string, boolean][] = [
  [['hello'], 'hello', false],
  [['a\x10\x11b'], 'a', true],
  [['a\x10', '\x11'], 'a', true],
  [['\x10x'], '\x10x', false],
  [['\x10\x10\x11'], '\x10', true],
  [['\x10', '\x10', 'y'], '\x10\x10y', false],
];
for (const [chunks, forwarded, detached] of feeds) {
  test(`input ${JSON.stringify(chunks)}`, () => {
    const detector = new DetachDetector(parseDetachKeys(undefined));
    let text = '';
    let done = false;
    for (const chunk of chunks) {
      const result = detector.feed(Buffer.from(chunk, 'latin1'));
      text += result.forward.toString('latin1');
      done = result.detached;
    }
    assert.equal(text, forwarded);
    assert.equal(done, detached);
  });
}
