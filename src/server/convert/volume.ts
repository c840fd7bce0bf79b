import type { Volume as WireVolume } from '../../api/volumes.ts';
import type { InspectedVolume, Volume } from '../../storage/volumes.ts';
import { goTime } from './time.ts';

export function volumeToWire(
  volume: Volume | InspectedVolume,
  usage?: { sizeBytes: number; references: number },
): WireVolume {
  const { labels, options } = volume;
  const { scope = 'local', createdAt, status }: Partial<InspectedVolume> = volume;
  return {
    // To the second, as Docker has it: the mtime of a directory.
    ...(volume.driver === 'local' || createdAt !== undefined
      ? { CreatedAt: createdAt ?? goTime(Math.floor(volume.createdMs / 1000) * 1000) }
      : {}),
    Driver: volume.driver,
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: Object.keys(options).length === 0 ? null : options,
    Scope: scope,
    ...(status === undefined ? {} : { Status: status }),
    ...(usage === undefined ? {} : { UsageData: { RefCount: usage.references, Size: usage.sizeBytes } }),
  };
}
