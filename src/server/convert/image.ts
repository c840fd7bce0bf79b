import type {
  ImageHistoryItem,
  ImageInspect,
  ImageSearchItem,
  ImageSummary,
  ImageConfig as WireConfig,
  ManifestSummary as WireManifest,
} from '../../api/images.ts';
import { compareVersions } from '../../api/paths.ts';
import type { SearchResult } from '../../distribution/search.ts';
import type { HistoryItem } from '../../images/history.ts';
import type { ManifestSummary } from '../../images/manifest-summaries.ts';
import type { RemoveResult } from '../../images/remove.ts';
import type { Image } from '../../images/store.ts';
import type { ImageRunConfig } from '../../oci/image.ts';
import { isZero } from './host-config.ts';
import { goTime, unixSeconds, zeroTime } from './time.ts';

export function imageSummaryToWire(image: Image, version: string): ImageSummary {
  const older = (than: string) => compareVersions(version, than) < 0;
  const { references, digests } = image;
  return {
    Containers: -1,
    Created: unixSeconds(image.createdMs),
    Id: image.id,
    Labels: image.config.config?.Labels ?? null,
    ParentId: image.parent ?? '',
    // Before 1.43 nameless images were called this, and no digests were null.
    RepoDigests:
      digests.length === 0 && older('1.43') ? (references.length === 0 ? ['<none>@<none>'] : null) : digests,
    RepoTags: references.length === 0 && older('1.43') ? ['<none>:<none>'] : references,
    SharedSize: -1,
    Size: image.sizeBytes,
    ...(older('1.44') ? { VirtualSize: image.sizeBytes } : {}),
  };
}

export function imageInspectToWire(image: Image, options: { version: string; driver: string }): ImageInspect {
  const { config } = image;
  const older = (than: string) => compareVersions(options.version, than) < 0;
  const wire: ImageInspect = {
    Id: image.id,
    RepoTags: image.references,
    RepoDigests: image.digests,
    Parent: image.parent ?? '',
    Comment: config.comment ?? lastComment(image),
    Created: config.created ?? zeroTime,
    ...(older('1.45')
      ? {
          Container: config.container ?? '',
          ContainerConfig: runConfigToWire(config.container_config ?? {}, false),
        }
      : {}),
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: runConfigToWire(config.config ?? {}, !older('1.50')),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config['os.version'] === undefined ? {} : { OsVersion: config['os.version'] }),
    Size: image.sizeBytes,
    ...(older('1.44') ? { VirtualSize: image.sizeBytes } : {}),
    GraphDriver: { Data: null, Name: options.driver },
    RootFS: {
      Type: 'layers',
      ...(config.rootfs.diff_ids.length === 0 ? {} : { Layers: config.rootfs.diff_ids }),
    },
    Metadata: { LastTagTime: goTime(image.lastTaggedMs) },
  };
  return wire;
}

/** @param sparse leave empty fields out, as since API 1.50 */
function runConfigToWire(config: ImageRunConfig, sparse: boolean): WireConfig {
  const wire: WireConfig = {
    Hostname: '',
    Domainname: '',
    User: config.User ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(isZero(config.ExposedPorts) ? {} : { ExposedPorts: config.ExposedPorts }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    ...(config.ArgsEscaped === true ? { ArgsEscaped: true } : {}),
    Image: '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ?? null,
    ...(isZero(config.StopSignal) ? {} : { StopSignal: config.StopSignal }),
    ...(isZero(config.Shell) ? {} : { Shell: config.Shell }),
  };
  if (!sparse) return wire;
  return Object.fromEntries(Object.entries(wire).filter(([, value]) => !isZero(value)));
}

function lastComment(image: Image): string {
  return image.config.history?.at(-1)?.comment ?? '';
}

export function historyToWire(item: HistoryItem): ImageHistoryItem {
  return {
    Comment: item.comment,
    Created: unixSeconds(item.createdMs),
    CreatedBy: item.createdBy,
    Id: item.id,
    Size: item.sizeBytes,
    Tags: item.tags,
  };
}

export function removalToWire(result: RemoveResult): { Untagged: string } | { Deleted: string } {
  return 'untagged' in result ? { Untagged: result.untagged } : { Deleted: result.deleted };
}

export function searchResultToWire(result: SearchResult): ImageSearchItem {
  return {
    star_count: result.starCount,
    is_official: result.isOfficial,
    name: result.name,
    is_automated: result.isAutomated,
    description: result.description,
  };
}

/** @param containers made of the image */
export function manifestToWire(summary: ManifestSummary, containers: string[]): WireManifest {
  const { descriptor, available, contentBytes, image, attests } = summary;
  const wire: WireManifest = {
    ID: descriptor.digest,
    Descriptor: descriptor,
    Available: available,
    Size: { Content: contentBytes, Total: contentBytes + (image?.unpackedBytes ?? 0) },
    Kind: attests !== undefined ? 'attestation' : image !== undefined ? 'image' : 'unknown',
  };
  if (attests !== undefined) wire.AttestationData = { For: attests };
  if (image !== undefined) {
    const { platform, own, unpackedBytes } = image;
    const made = own ? containers : [];
    wire.ImageData = { Platform: platform, Containers: made, Size: { Unpacked: unpackedBytes } };
  }
  return wire;
}
