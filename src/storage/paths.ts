import { join } from 'node:path';
import { type Digest, hexOf } from '../oci/digest.ts';

/**
 * Every path of the storage room, and nobody else spells one:
 *
 *     <data-root>/                        0710: images have setuid programs, which are nobody else's (CVE-2021-41091)
 *     ├── lock                            held (flock) by the daemon that uses the data-root; holds its pid
 *     ├── state.db, -wal, -shm            what the engine knows (database.ts)
 *     ├── blobs/sha256/<2 hex>/<64 hex>   content by digest: compressed layers, manifests, configurations
 *     ├── ingest/<key>.part               blobs being received; kept for resuming when the caller says so
 *     ├── layers/
 *     │   ├── <number>/                   one unpacked layer, ready to be an overlay's lower directory
 *     │   ├── <number>-init/              mount points Docker puts between image and container
 *     │   └── new-<number>/               being unpacked; removed at the next start
 *     ├── snapshots/
 *     │   └── <number>/                   one writable root
 *     │       ├── upper/                  what was changed
 *     │       ├── work/                   the kernel's
 *     │       ├── merged/                 where it is mounted
 *     │       └── flat                    says that `merged` is the root itself, a copy (driver vfs)
 *     ├── volumes/<name>/
 *     │   ├── _data/                      0755, as in Docker
 *     │   ├── snapshots/<snapshot>/_data  copies of it; `.new` is being made or removed
 *     │   ├── restored/                   what will be _data in a moment: restored, or from an image; removed at the next start
 *     │   └── replaced/                   what was _data a moment ago; _data again where that is missing
 *     ├── build-contexts/<random>/        the server's: what clients sent to be built; emptied at start
 *     ├── secrets.key                     what secrets are encrypted with (secret-key.ts)
 *     ├── containers/<id>/                the engine's: logs, files bound into containers
 *     └── quarantine/<time>/              what was found corrupt; never used, never removed
 *
 *     <exec-root>/                        gone after a reboot: sockets, pid files, runtime state
 *     ├── secrets/                        of containers that are being made (secret-files.ts); emptied at start
 *     ├── subpaths/                       parts of volumes for containers being made (subpaths.ts); emptied at start
 *     └── mapped/                         with userns-remap: id-mapped views (id-mapped.ts); emptied at start
 */
export interface StoragePaths {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly lock: string;
  readonly database: string;
  readonly blobs: string;
  readonly ingest: string;
  readonly layers: string;
  readonly snapshots: string;
  readonly volumes: string;
  readonly buildContexts: string;
  readonly containers: string;
  readonly secretsKey: string;
  readonly quarantine: string;
  /** These are below the exec-root. */
  readonly secretFiles: string;
  readonly subpaths: string;
  readonly mapped: string;
  blob(digest: Digest): string;
  ingestPart(key: string): string;
  layer(number: number): string;
  /** Mount points for containers on top of a layer; number 0: on top of nothing. */
  layerInit(number: number): string;
  newLayer(number: number): string;
  snapshot(number: number): SnapshotPaths;
  volume(name: string): string;
  volumeData(name: string): string;
  volumeParts(name: string): VolumePaths;
}

export interface VolumePaths {
  data: string;
  snapshots: string;
  restored: string;
  replaced: string;
}

export interface SnapshotPaths {
  directory: string;
  upper: string;
  work: string;
  merged: string;
}

export const defaultDataRoot = '/var/lib/gantry';
export const defaultExecRoot = '/run/gantry';

export function storagePaths(dataRoot: string, execRoot: string): StoragePaths {
  const below = (name: string) => join(dataRoot, name);
  const layers = below('layers');
  return {
    dataRoot,
    execRoot,
    lock: below('lock'),
    database: below('state.db'),
    blobs: below('blobs'),
    ingest: below('ingest'),
    layers,
    snapshots: below('snapshots'),
    volumes: below('volumes'),
    buildContexts: below('build-contexts'),
    containers: below('containers'),
    secretsKey: below('secrets.key'),
    quarantine: below('quarantine'),
    secretFiles: join(execRoot, 'secrets'),
    subpaths: join(execRoot, 'subpaths'),
    mapped: join(execRoot, 'mapped'),
    blob: digest => join(below('blobs'), 'sha256', hexOf(digest).slice(0, 2), hexOf(digest)),
    ingestPart: key => join(below('ingest'), `${key}.part`),
    layer: number => join(layers, String(number)),
    layerInit: number => join(layers, `${number}-init`),
    newLayer: number => join(layers, `new-${number}`),
    snapshot: number => {
      const directory = join(below('snapshots'), String(number));
      return {
        directory,
        upper: join(directory, 'upper'),
        work: join(directory, 'work'),
        merged: join(directory, 'merged'),
      };
    },
    volume: name => join(below('volumes'), name),
    volumeData: name => join(below('volumes'), name, '_data'),
    volumeParts: name => {
      const part = (of: string) => join(below('volumes'), name, of);
      return {
        data: part('_data'),
        snapshots: part('snapshots'),
        restored: part('restored'),
        replaced: part('replaced'),
      };
    },
  };
}
