import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import type { Digest } from '../../src/oci/digest.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { file, tarOf } from './storage-fixture.ts';

/** Does everything with a storage, round after round, until it is killed. */
const folder = process.argv[2]!;
const storage = await openStorage({
  dataRoot: join(folder, 'data'),
  execRoot: join(folder, 'exec'),
  log: silentLog,
});
process.stdout.write('ready\n');

async function round(n: string): Promise<void> {
  const tar = await tarOf(
    Array.from({ length: 60 }, (_, index) => file(`${n}/${index}`, `${n}${index}`.repeat(200))),
  );
  const ingest = await storage.blobs.ingest({ key: `part-${n}` });
  const compressed = zstdCompressSync(tar);
  for (let at = 0; at < compressed.length; at += 1000) await ingest.write(compressed.subarray(at, at + 1000));
  const { digest } = await ingest.commit();
  const base = await storage.layers.apply({ source: { blob: digest, mediaType: 'm' }, owner: `image:${n}` });
  await Promise.all([make(n, 'a', base.chainId), make(n, 'b', base.chainId)]);
  await storage.volumes.create({ name: `volume-${n}` });
  await storage.volumes.mount(`volume-${n}`, n);
  await storage.volumes.unmount(`volume-${n}`, n);
  await storage.volumes.remove(`volume-${n}`);
  const plain = await storage.layers.apply({
    source: Readable.from([tar]),
    parent: base.chainId,
    owner: `image:${n}`,
  });
  storage.layers.attachBlob(plain.chainId, { digest, size: compressed.length, mediaType: 'm' });
  // Every other image stays, so that there is something to lose.
  if (Number(n.slice(-1)) % 2 === 0) storage.layers.dereference(`image:${n}`);
  await storage.layers.removeUnreferenced();
  await storage.blobs.removeUnreferenced();
}

async function make(n: string, which: string, parent: Digest): Promise<void> {
  const id = `${n}-${which}`;
  await storage.snapshots.create(id, parent, { mountPoints: which === 'a' });
  const root = storage.snapshots.mount(id);
  for (let index = 0; index < 20; index++) writeFileSync(join(root, `${which}${index}`), `${n}`.repeat(500));
  if (which === 'b') storage.snapshots.unmount(id);
  await storage.snapshots.commit(id, { owner: `image:${n}`, keep: which === 'a' });
  await storage.snapshots.remove(id);
}

for (let n = 0; ; n++) {
  await round(`${process.pid}x${n}`);
  process.stdout.write('round\n');
}
