import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { debianRoot } from '../../src/images/bootstrap-debian.ts';
import { packReproducibly } from './base-images.ts';
import { cached } from './cache.ts';

export const debianImage = 'debian:trixie-slim';

/** It as `docker load` takes it, bootstrapped from the machine's mirror once. */
export function debianArchive(): Promise<string> {
  return cached('debian-trixie-slim.tar', async (target, scratch) => {
    const archive = join(scratch, 'archive');
    mkdirSync(archive);
    const layer = join(archive, 'layer.tar');
    const root = await debianRoot({
      distribution: 'debian',
      tag: debianImage.replace('debian:', ''),
      directory: join(scratch, 'root'),
      mirror: undefined,
      progress: () => {},
      signal: AbortSignal.timeout(1_200_000),
    });
    try {
      await pipeline(root.tar, createWriteStream(layer));
    } finally {
      await root.close();
    }
    const hash = createHash('sha256');
    await pipeline(createReadStream(layer), hash);
    const created = new Date(root.createdMs).toISOString();
    const config = {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      config: root.config,
      created,
      history: [{ created, created_by: root.madeBy }],
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [`sha256:${hash.digest('hex')}`] },
    };
    writeFileSync(join(archive, 'config.json'), JSON.stringify(config));
    const manifest = [{ Config: 'config.json', RepoTags: [debianImage], Layers: ['layer.tar'] }];
    writeFileSync(join(archive, 'manifest.json'), JSON.stringify(manifest));
    const packed = join(scratch, 'packed.tar');
    await packReproducibly(archive, packed);
    renameSync(packed, target);
  });
}
