import { PassThrough, type Readable } from 'node:stream';
import { TarWriter } from '../archive/tar-writer.ts';
import { EngineError } from '../stdx/errors.ts';

/** A tar made while it is read. An error of `fill` is the stream's; a reader that goes away ends `fill`. */
export function tarStream(fill: (tar: TarWriter) => Promise<void>): Readable {
  const output = new PassThrough({ highWaterMark: 1 << 20 });
  const tar = new TarWriter(async bytes => {
    if (!output.write(bytes)) await drained(output);
  });
  const run = async () => {
    await fill(tar);
    await tar.end();
    output.end();
  };
  run().catch(error => output.destroy(error));
  return output;
}

function drained(output: PassThrough): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle = () => {
    output.off('drain', settle);
    output.off('close', settle);
    if (output.destroyed) reject(new EngineError('cancelled', 'the reader of the archive has gone'));
    else resolve();
  };
  output.on('drain', settle);
  output.on('close', settle);
  if (output.destroyed) settle();
  return promise;
}
