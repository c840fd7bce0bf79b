import { readTar } from '../../archive/tar-reader.ts';
import { encodeEnd, encodeHeader, encodePadding } from '../../archive/tar-writer.ts';

/**
 * A tar with other times of its entries.
 * @param latestMs `set`: the time of all of them; else no time is later
 */
export async function* rewriteTimes(
  tar: AsyncIterable<Uint8Array>,
  latestMs: number,
  { set }: { set: boolean },
): AsyncGenerator<Buffer> {
  const latestNs = BigInt(latestMs) * 1_000_000n;
  for await (const { header, body } of readTar(tar)) {
    const mtimeNs = set || header.mtimeNs > latestNs ? latestNs : header.mtimeNs;
    yield encodeHeader({ ...header, mtimeNs });
    yield* body;
    if (header.size % 512 !== 0) yield encodePadding(header.size);
  }
  yield encodeEnd();
}
