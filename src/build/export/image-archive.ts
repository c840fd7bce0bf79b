import type { Readable } from 'node:stream';
import type { TarWriter } from '../../archive/tar-writer.ts';
import { tarStream } from '../../images/tar-stream.ts';
import type { WrittenName } from '../../images/written-names.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import type { Descriptor } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import type { Blob, NewManifest } from './manifests.ts';

export interface ArchivedImage {
  /** What the names lead to: a manifest, or an index of them. */
  root: Descriptor;
  /** The root's own, and all below it. */
  blobs: readonly Blob[];
  /** Of one platform: what `docker load` reads. */
  loaded?: NewManifest;
  names: readonly WrittenName[];
  created: string;
}

/**
 * The tar of `--output type=oci` and `type=docker`: an OCI layout, and for `docker load` its manifest.json beside it.
 *
 *     blobs/sha256/<64 hex>
 *     index.json
 *     manifest.json    docker only
 *     oci-layout
 */
export function imageArchive({ root, blobs, loaded, names, created }: ArchivedImage): Readable {
  const annotations = { ...root.annotations, 'org.opencontainers.image.created': created };
  const unnamed = { ...root, annotations };
  const entries = names.map(({ canonical, tag }) => ({
    ...root,
    annotations: {
      ...root.annotations,
      'io.containerd.image.name': canonical,
      'org.opencontainers.image.created': created,
      'org.opencontainers.image.ref.name': tag,
    },
  }));
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: entries.length === 0 ? [unnamed] : entries,
  };
  return tarStream(async tar => {
    await tar.add({ name: 'blobs', type: 'directory' });
    await tar.add({ name: 'blobs/sha256', type: 'directory' });
    await addBlobs(tar, blobs);
    await tar.add({ name: 'index.json', type: 'file' }, JSON.stringify(index));
    if (loaded !== undefined)
      await tar.add({ name: 'manifest.json', type: 'file' }, JSON.stringify([loadedBy(loaded, names)]));
    await tar.add({ name: 'oci-layout', type: 'file' }, '{"imageLayoutVersion":"1.0.0"}');
  });
}

function loadedBy({ blobs }: NewManifest, names: readonly WrittenName[]) {
  const [config, ...layers] = blobs;
  return {
    Config: blobPath(config!.digest),
    RepoTags: names.length === 0 ? null : names.map(name => name.familiar),
    Layers: layers.map(layer => blobPath(layer.digest)),
  };
}

/** Each once, in the order of their digests. */
async function addBlobs(tar: TarWriter, blobs: readonly Blob[]): Promise<void> {
  const unique = new Map(blobs.map(blob => [blob.digest, blob]));
  for (const [digest, { size, content }] of [...unique].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await tar.addStream({ name: blobPath(digest), type: 'file', size }, content());
  }
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
