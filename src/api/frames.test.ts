import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FrameDecoder, writeFrameHeader } from './frames.ts';

test('a frame is a header of eight bytes and the payload', () => {
  assert.equal(encodeFrame('stderr', Buffer.from('hi')).toString('hex'), '02000000000000026869');
  const header = Buffer.alloc(10);
  assert.equal(writeFrameHeader(header, 2, 'stdout', 258), 10);
  assert.equal(header.toString('hex'), '00000100000000000102');
});

test('frames cut anywhere give the same streams', () => {
  const frames = fc.array(
    fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), fc.uint8Array({ maxLength: 40 })),
  );
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 13 }), (list, step) => {
      const bytes = Buffer.concat(list.map(([stream, payload]) => encodeFrame(stream, payload)));
      const got: Record<string, Buffer[]> = { stdout: [], stderr: [] };
      const decoder = new FrameDecoder((stream, payload) => got[stream]!.push(Buffer.from(payload)));
      for (let at = 0; at < bytes.length; at += step) decoder.push(bytes.subarray(at, at + step));
      for (const stream of ['stdout', 'stderr'] as const) {
        const sent = Buffer.concat(list.filter(([name]) => name === stream).map(([, payload]) => payload));
        assert.deepEqual(Buffer.concat(got[stream]!), sent);
      }
    }),
  );
});

test('what are no frames is refused', () => {
  assert.throws(() => new FrameDecoder(() => {}).push(Buffer.from('HTTP/1.1')), RangeError);
});
