import type { Volume as WireVolume } from '../../api/volumes.ts';
import type { Volume } from '../../storage/volumes.ts';
import { goTime } from './time.ts';

export function volumeToWire(volume: Volume, usage?: { sizeBytes: number; references: number }): WireVolume {
  const { labels, options } = volume;
  return {
    // To the second, as Docker has it: the mtime of a directory.
    CreatedAt: goTime(Math.floor(volume.createdMs / 1000) * 1000),
    Driver: volume.driver,
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: Object.keys(options).length === 0 ? null : options,
    Scope: 'local',
    ...(usage === undefined ? {} : { UsageData: { RefCount: usage.references, Size: usage.sizeBytes } }),
  };
}
