import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Output } from '../../output/output.ts';
import { LiveBlock } from './live-block.ts';

class Screen extends Output {
  text = '';

  constructor() {
    super(-1, { isTerminal: true, size: () => ({ rows: 24, columns: 80 }) });
  }

  override write(data: string | Uint8Array): void {
    this.text += data;
  }
}

test('a signal ends the program when nobody has taken it', t => {
  const exit = t.mock.method(process, 'exit', () => {});
  const block = new LiveBlock(new Screen());
  block.show(['waiting']);
  process.emit('SIGTERM', 'SIGTERM', 15);
  block.show([]);
  assert.deepEqual(
    exit.mock.calls.map(call => call.arguments),
    [[143]],
  );
});

test('and does not when who has taken it ends the block', t => {
  const exit = t.mock.method(process, 'exit', () => {});
  const screen = new Screen();
  const block = new LiveBlock(screen);
  const taken = () => block.leave(['stopping']);
  process.on('SIGTERM', taken);
  t.after(() => process.off('SIGTERM', taken));
  block.show(['waiting']);
  process.emit('SIGTERM', 'SIGTERM', 15);
  assert.equal(exit.mock.callCount(), 0);
  assert.match(screen.text, /stopping\n$/);
  assert.deepEqual(process.listeners('SIGTERM'), [taken]);
});
