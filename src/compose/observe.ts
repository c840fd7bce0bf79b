import type { ContainerSummary } from '../api/containers.ts';
import type { Network } from '../api/networks.ts';
import type { Client } from '../client/client.ts';
import { perform } from '../client/operation.ts';
import { containerOperations, networkOperations, volumeOperations } from '../client/operations.ts';
import { composeLabels } from './labels.ts';
import type { Observed, ObservedContainer, ObservedResource } from './observed.ts';
import type { Project } from './project.ts';

/**
 * Looks at what the daemon has of a project: everything with its label, and whatever has the name of one of its networks
 * or volumes.
 */
export async function observe(client: Client, name: string, project: Project | undefined): Promise<Observed> {
  const filters = JSON.stringify({ label: [`${composeLabels.project}=${name}`] });
  const [containers, networks, volumes] = await Promise.all([
    perform(client, containerOperations.list, { query: { all: true, filters } }),
    perform(client, networkOperations.list, {}),
    perform(client, volumeOperations.list, {}),
  ]);
  const networkNames = new Set(Object.values(project?.networks ?? {}).map(network => network.name));
  const volumeNames = new Set(Object.values(project?.volumes ?? {}).map(volume => volume.name));
  return {
    containers: containers.map(observedContainer),
    networks: resources(networks.flatMap(byNameAndId), name, networkNames),
    volumes: resources(volumes.Volumes ?? [], name, volumeNames),
  };
}

/** An external network may be known by its id. */
function byNameAndId(network: Network): { Name: string; Labels: Record<string, string> | null }[] {
  return [network, { Name: network.Id, Labels: {} }];
}

function resources(
  all: readonly { Name: string; Labels: Record<string, string> | null }[],
  project: string,
  names: ReadonlySet<string>,
): Map<string, ObservedResource> {
  const found = all.filter(
    ({ Name, Labels }) => names.has(Name) || Labels?.[composeLabels.project] === project,
  );
  return new Map(found.map(({ Name, Labels }) => [Name, { labels: Labels ?? {} }]));
}

function observedContainer({
  Id,
  Names,
  Image,
  Labels,
  State,
  NetworkSettings,
}: ContainerSummary): ObservedContainer {
  return {
    id: Id,
    name: (Names[0] ?? '').replace(/^\//, ''),
    service: Labels[composeLabels.service] ?? '',
    number: Number(Labels[composeLabels.number] ?? 1),
    oneOff: Labels[composeLabels.oneOff] === 'True',
    image: Image,
    configHash: Labels[composeLabels.configHash] ?? '',
    imageDigest: Labels[composeLabels.imageDigest] ?? '',
    running: State === 'running' || State === 'restarting',
    paused: State === 'paused',
    ended: State === 'exited' || State === 'dead',
    networks: Object.keys(NetworkSettings.Networks),
  };
}
