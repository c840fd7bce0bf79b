import { FrameDecoder } from '../../api/frames.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';

/** Takes frames and writes each payload where it belongs. */
export function demultiplexTo({ out, err }: Pick<Session, 'out' | 'err'>): (chunk: Buffer) => void {
  const decoder = new FrameDecoder((stream, payload) => {
    if (stream === 'stdout') out.write(payload);
    else if (stream === 'stderr') err.write(payload);
    else if (stream === 'systemerr')
      throw new EngineError('internal', `error from daemon in stream: ${payload}`);
  });
  return chunk => decoder.push(chunk);
}
