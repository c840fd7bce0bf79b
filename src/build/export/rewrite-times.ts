import { readTar } from '../../archive/tar-reader.ts';
import { encodeEnd, encodeHeader, encodePadding } from '../../archive/tar-writer.ts';

/** A tar in which no time is later than `latestMs`. */
export async function* rewriteTimes(
  tar: AsyncIterable<Uint8Array>,
  latestMs: number,
): AsyncGenerator<Buffer> {
  const latestNs = BigInt(latestMs) * 1_000_000n;
  yield* tarEntries(tar, mtimeNs => (mtimeNs > latestNs ? latestNs : mtimeNs));
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
