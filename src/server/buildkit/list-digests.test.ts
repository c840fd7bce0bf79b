import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { frameMessage } from '../../api/grpc/framing.ts';
import { ListDigests } from './list-digests.ts';

function digestsOf(messages: readonly string[]): ListDigests {
  const list = new ListDigests();
  for (const message of messages) list.add(frameMessage(Buffer.from(message)));
  list.end();
  return list;
}

const many = Array.from({ length: 5000 }, (_, index) => `directory/file-${index} ${'x'.repeat(30)}`);

describe('the digests of a list', () => {
  test('are the same for the same list, and few', () => {
    const first = digestsOf(many);
    assert.deepEqual(digestsOf(many).parts, first.parts);
    assert.ok(first.parts.length > 2 && first.parts.length < 20);
    const inOnePiece = new ListDigests();
    inOnePiece.add(Buffer.concat(many.map(message => frameMessage(Buffer.from(message)))));
    inOnePiece.end();
    assert.deepEqual(inOnePiece.parts, first.parts);
  });

  test('tell a message that changed, went, came or was cut elsewhere', () => {
    const known = digestsOf(many).parts;
    const changed = [
      [...many.slice(0, 2500), 'other', ...many.slice(2501)],
      many.slice(0, -1),
      [...many, 'more'],
      [`${many[0]}${many[1]}`, ...many.slice(2)],
      ['', ...many],
    ];
    for (const other of changed) assert.notDeepEqual(digestsOf(other).parts, known);
  });

  test('tell while it comes how far a list is the known one', () => {
    const known = digestsOf(many).parts;
    const other = digestsOf([...many.slice(0, 4000), 'other', ...many.slice(4001)]);
    assert.equal(digestsOf(many).begins(known, 0), true);
    assert.equal(other.begins(known, 0), false);
    assert.equal(digestsOf(many.slice(0, 10)).begins([], 0), false);
  });

  test('take messages of any size', () => {
    const large = 'y'.repeat(200_000);
    assert.deepEqual(digestsOf(['a', large, 'b']).parts, digestsOf(['a', large, 'b']).parts);
    assert.notDeepEqual(digestsOf(['a', large, 'b']).parts, digestsOf(['a', `${large}y`, 'b']).parts);
    assert.notDeepEqual(digestsOf(['a', large, 'b']).parts, digestsOf(['a', 'b', large]).parts);
  });
});
