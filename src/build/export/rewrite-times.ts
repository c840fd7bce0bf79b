import { readTar } from '../../archive/tar-reader.ts';
import { encodeEnd, encodeHeader, encodePadding } from '../../archive/tar-writer.ts';

/** What becomes of the times in a layer: none is later, or all are the same. */
export interface LayerTimes {
  timeMs: number;
  change: 'latest' | 'all';
}

/** A tar with other times. */
export async function* rewriteTimes(
  tar: AsyncIterable<Uint8Array>,
  { timeMs, change }: LayerTimes,
): AsyncGenerator<Buffer> {
  const timeNs = BigInt(timeMs) * 1_000_000n;
  yield* tarEntries(tar, mtimeNs => (change === 'all' || mtimeNs > timeNs ? timeNs : mtimeNs));
  yield encodeEnd();
}

/** The entries of a tar with other times, without its end: more may follow. */
export async function* tarEntries(
  tar: AsyncIterable<Uint8Array>,
  timeNs: (mtimeNs: bigint) => bigint,
): AsyncGenerator<Buffer> {
  for await (const { header, body } of readTar(tar)) {
    yield encodeHeader({ ...header, mtimeNs: timeNs(header.mtimeNs) });
    yield* body;
    if (header.size % 512 !== 0) yield encodePadding(header.size);
  }
}
