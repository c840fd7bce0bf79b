import assert from 'node:assert/strict';
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
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

test("a commit's time, and the same archive, also of steps that were made for an earlier commit", async () => {
  const digests: (string | undefined)[] = [];
  for (const [index, mtime] of [1_500_000_000, Date.now() / 1000].entries()) {
    const world = await BuilderWorld.open();
    try {
      await world.makeBase({ buildArgs: { SOURCE_DATE_EPOCH: '1600000000' } });
      const prepare = (context: string) => utimesSync(join(context, 'src/a'), mtime, mtime);
      const build = (commitTimeMs: number, attributes: Record<string, string> = {}) => {
        const write = async (archive: Readable) => void (await finished(archive.resume()));
        const request = { commitTimeMs, exports: [{ type: 'oci' as const, attributes, write }] };
        return world.build(files, request, { prepare });
      };
      if (index === 1) await build(1_650_000_000_000);
      const { events, answer } = await build(1_700_000_000_000);
      const ran = events.some(({ type }) => type === 'stepRunning');
      assert.equal(ran, index === 0, 'another commit builds nothing anew');
      digests.push(answer['containerimage.digest']);
      const asMade = await build(1_700_000_000_000, { 'rewrite-timestamp': 'false' });
      assert.notEqual(asMade.answer['containerimage.digest'], digests[0]);

      const { image } = await world.build(files, { commitTimeMs: 1_700_000_000_000 }, { prepare });
      assert.equal(image.config.created, '2023-11-14T22:13:20Z');
      assert.equal(image.config.history?.at(-1)?.created, '2023-11-14T22:13:20Z');
      assert.equal(image.config.history?.[0]?.created, '2020-09-13T12:26:40Z');
      const off = { commitTimeMs: 1_700_000_000_000, buildArgs: { SOURCE_DATE_EPOCH: '' } };
      const untimed = await world.build(files, off, { prepare });
      assert.notEqual(untimed.image.config.created, '2023-11-14T22:13:20Z');
    } finally {
      await world.close();
    }
  }
  assert.equal(digests[1], digests[0]);
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
