import type { NetworkCreateRequest } from '../../api/networks.ts';
import type { VolumeCreateRequest } from '../../api/volumes.ts';
import { composeLabels, composeLabelsVersion } from '../labels.ts';
import { networkHash, volumeHash } from '../print/hash.ts';
import type { Project } from '../project.ts';

/** The request that makes a network of a project. */
export function networkRequest(project: Project, key: string): NetworkCreateRequest {
  const network = project.networks![key]!;
  const { ipam } = network;
  return {
    Name: network.name,
    ...(network.driver === undefined ? {} : { Driver: network.driver }),
    Options: network.driver_opts ?? null,
    Internal: network.internal === true,
    Attachable: network.attachable === true,
    ...(network.enable_ipv4 === undefined ? {} : { EnableIPv4: network.enable_ipv4 }),
    ...(network.enable_ipv6 === undefined ? {} : { EnableIPv6: network.enable_ipv6 }),
    ...(ipam === undefined
      ? {}
      : {
          IPAM: {
            Driver: ipam.driver ?? 'default',
            Options: ipam.options ?? null,
            Config: (ipam.config ?? []).map(pool => ({
              ...(pool.subnet === undefined ? {} : { Subnet: pool.subnet }),
              ...(pool.ip_range === undefined ? {} : { IPRange: pool.ip_range }),
              ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
              ...(pool.aux_addresses === undefined ? {} : { AuxiliaryAddresses: pool.aux_addresses }),
            })),
          },
        }),
    Labels: { ...network.labels, [composeLabels.network]: key, ...labelsOf(project, networkHash(network)) },
  };
}

/** The request that makes a volume of a project. */
export function volumeRequest(project: Project, key: string): VolumeCreateRequest {
  const volume = project.volumes![key]!;
  const { name, driver, driver_opts, labels } = volume;
  return {
    Name: name,
    ...(driver === undefined ? {} : { Driver: driver }),
    ...(driver_opts === undefined ? {} : { DriverOpts: driver_opts }),
    Labels: { ...labels, [composeLabels.volume]: key, ...labelsOf(project, volumeHash(volume)) },
  };
}

function labelsOf(project: Project, hash: string): Record<string, string> {
  return {
    [composeLabels.project]: project.name,
    [composeLabels.version]: composeLabelsVersion,
    [composeLabels.configHash]: hash,
  };
}
