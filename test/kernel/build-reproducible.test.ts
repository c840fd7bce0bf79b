import assert from 'node:assert/strict';
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packLayer } from '../../src/images/pack.ts';
import { KeyedMutex } from '../../src/stdx/mutex.ts';
import type { Layer } from '../../src/storage/layers.ts';
import { BuilderWorld } from '../support/builder.ts';

const files = {
  'src/a': 'A',
  'src/sub/b': 'B',
  Dockerfile: `FROM busybox AS made
RUN mkdir -p /out/deep && echo x > /out/deep/x && ln /out/deep/x /out/y && ln -s y /out/z && hostname > /out/h
FROM busybox
ENV A=b
COPY src /src
COPY --from=made /out /out
COPY --link src/a /etc/linked
RUN rm -r /src/sub && touch /etc/new
WORKDIR /work
LABEL x=y
CMD ["sh"]
`,
};

test('the same inputs are the same image, on two data-roots and at two times', async () => {
  const buildArgs = { SOURCE_DATE_EPOCH: '1700000000' };
  const made: { id: string; layers: string[]; packed: string[] }[] = [];
  for (const [index, mtime] of [1_500_000_000, Date.now() / 1000].entries()) {
    const world = await BuilderWorld.open();
    try {
      await world.makeBase({ buildArgs });
      const prepare = (context: string) => utimesSync(join(context, 'src/a'), mtime, mtime + index);
      const { image } = await world.build(files, { buildArgs }, { prepare });
      const chain = world.storage.layers.chain(image.chainId!);
      assert.equal(image.config.created, '2023-11-14T22:13:20Z');
      made.push({
        id: image.id,
        layers: chain.map(layer => layer.diffId),
        packed: await packedDigests(world, chain),
      });
    } finally {
      await world.close();
    }
  }
  assert.deepEqual(made[1], made[0]);
});

/** What a registry would get: compressed, these make the manifest's digest. */
async function packedDigests({ storage }: BuilderWorld, chain: readonly Layer[]): Promise<string[]> {
  const digests: string[] = [];
  for (const layer of chain) {
    const { blob } = await packLayer({ storage, packing: new KeyedMutex() }, layer, 'test', {
      onProgress: () => {},
      onPacked: async () => {},
      signal: new AbortController().signal,
    });
    digests.push(blob.digest);
  }
  return digests;
}
