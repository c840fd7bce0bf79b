import type { ImageDeleteItem } from '../api/images.ts';
import { compareVersions } from '../api/paths.ts';
import type { Client } from '../client/client.ts';
import { encodeFilters, perform } from '../client/operation.ts';
import {
  containerOperations,
  imageOperations,
  networkOperations,
  volumeOperations,
} from '../client/operations.ts';
import { humanSize } from './output/units.ts';
import type { Session } from './session.ts';

/** What a prune removed, as it is printed. */
export interface Pruned {
  heading: string;
  lines: string[];
  reclaimedBytes: number;
}

type Filters = Map<string, string[]>;

export async function pruneContainers(client: Client, filters: Filters): Promise<Pruned> {
  const answer = await perform(client, containerOperations.prune, {
    query: { filters: encodeFilters(filters) },
  });
  return {
    heading: 'Deleted Containers:',
    lines: answer.ContainersDeleted ?? [],
    reclaimedBytes: answer.SpaceReclaimed,
  };
}

export async function pruneNetworks(client: Client, filters: Filters): Promise<Pruned> {
  const answer = await perform(client, networkOperations.prune, {
    query: { filters: encodeFilters(filters) },
  });
  return { heading: 'Deleted Networks:', lines: answer.NetworksDeleted ?? [], reclaimedBytes: 0 };
}

export async function pruneVolumes(
  client: Client,
  filters: Filters,
  { all }: { all: boolean },
): Promise<Pruned> {
  const asked = new Map(filters);
  // Before 1.42 the daemon removes named volumes too, and does not know the filter.
  if (all && compareVersions(await client.version(), '1.42') >= 0) asked.set('all', ['true']);
  const answer = await perform(client, volumeOperations.prune, { query: { filters: encodeFilters(asked) } });
  return {
    heading: 'Deleted Volumes:',
    lines: answer.VolumesDeleted ?? [],
    reclaimedBytes: answer.SpaceReclaimed,
  };
}

export async function pruneImages(
  client: Client,
  filters: Filters,
  { all }: { all: boolean },
): Promise<Pruned> {
  const asked = new Map(filters).set('dangling', [String(!all)]);
  const answer = await perform(client, imageOperations.prune, { query: { filters: encodeFilters(asked) } });
  return {
    heading: 'Deleted Images:',
    lines: (answer.ImagesDeleted ?? []).map(describeDeletion),
    reclaimedBytes: answer.SpaceReclaimed,
  };
}

export async function pruneBuildCache(
  client: Client,
  filters: Filters,
  limits: { all: boolean; keepBytes: number; maxUsedBytes?: number; minFreeBytes?: number },
): Promise<Pruned> {
  const query = {
    all: limits.all,
    // The name that daemons of all versions know.
    'keep-storage': limits.keepBytes || undefined,
    'max-used-space': limits.maxUsedBytes || undefined,
    'min-free-space': limits.minFreeBytes || undefined,
    filters: encodeFilters(filters),
  };
  const answer = await perform(client, imageOperations.pruneBuildCache, { query });
  return {
    heading: 'Deleted build cache objects:',
    lines: answer.CachesDeleted ?? [],
    reclaimedBytes: answer.SpaceReclaimed,
  };
}

export function reportPruned(session: Session, { heading, lines }: Pruned): void {
  if (lines.length > 0) session.out.write(`${heading}\n${lines.join('\n')}\n\n`);
}

export function reportReclaimed(session: Session, bytes: number): void {
  session.out.line(`Total reclaimed space: ${humanSize(bytes)}`);
}

function describeDeletion({ Untagged, Deleted }: ImageDeleteItem): string {
  return Untagged === undefined || Untagged === '' ? `deleted: ${Deleted}` : `untagged: ${Untagged}`;
}
