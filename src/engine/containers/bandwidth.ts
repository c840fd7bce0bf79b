import type { Bandwidth } from '../../network/network.ts';
import { type BandwidthWords, parseBandwidth } from '../../stdx/bandwidth.ts';
import { EngineError, within } from '../../stdx/errors.ts';
import type { HostConfig, Resources } from './config.ts';

/** How clients without the flag say it: the docker client, Compose files. */
export const bandwidthLabel = 'io.gantry.network-bandwidth';

/** What the caller asks for, in a field or else in a label; undefined: nothing. @throws invalid */
export function askedBandwidth(
  { networkBandwidth }: Resources,
  labels: Readonly<Record<string, string>>,
): BandwidthWords | undefined {
  const text = labels[bandwidthLabel];
  if (networkBandwidth !== undefined || text === undefined) return networkBandwidth;
  try {
    return parseBandwidth(text);
  } catch (error) {
    throw within(`label ${bandwidthLabel}`, error);
  }
}

/** @throws invalid where the container has no link of its own to limit */
export function validateBandwidth({ networkBandwidth, networkMode }: HostConfig): void {
  const { up = 0, down = 0 } = networkBandwidth ?? {};
  if (up === 0 && down === 0) return;
  for (const rate of [up, down]) {
    if (rate === 0 || (rate >= 8e3 && rate <= 1e12)) continue;
    throw new EngineError(
      'invalid',
      `invalid network bandwidth ${rate}: a rate is between 8kbit and 1000gbit`,
    );
  }
  if (networkMode === 'host' || networkMode === 'none' || networkMode.startsWith('container:')) {
    throw new EngineError('invalid', 'conflicting options: network bandwidth and the network mode');
  }
}

/** Undefined when it never was limited. */
export function bandwidthOf({ networkBandwidth }: Resources): Bandwidth | undefined {
  if (networkBandwidth === undefined) return undefined;
  return { upBitsPerSecond: networkBandwidth.up ?? 0, downBitsPerSecond: networkBandwidth.down ?? 0 };
}
