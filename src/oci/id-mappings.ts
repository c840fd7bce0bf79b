import type { RuntimeIdMapping } from './runtime-spec.ts';

/** Which ids of the host stand for the ids in a user namespace, in the OCI's words. */
export interface IdMappings {
  uid: RuntimeIdMapping[];
  gid: RuntimeIdMapping[];
}

/** What the kernel shows instead of an id that a namespace does not know (/proc/sys/kernel/overflowuid). */
export const overflowId = 65534;

/** @returns undefined for an id that the namespace does not have. */
export function hostIdOf(id: number, mappings: readonly RuntimeIdMapping[]): number | undefined {
  const range = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range === undefined ? undefined : range.hostID + (id - range.containerID);
}

/** As a process in the namespace sees an id of the host: `overflowId` when it has none. */
export function containerIdOf(id: number, mappings: readonly RuntimeIdMapping[]): number {
  const range = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return range === undefined ? overflowId : range.containerID + (id - range.hostID);
}

/** Lines of `inside outside length`, as in /proc/<pid>/uid_map. */
export function formatIdMap(mappings: readonly RuntimeIdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
}

/** The other way round. @returns undefined for the map of the host itself, where every id is itself. */
export function parseIdMap(text: string): RuntimeIdMapping[] | undefined {
  const mappings = text
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number))
    .filter(numbers => numbers.length === 3)
    .map(([containerID = 0, hostID = 0, size = 0]) => ({ containerID, hostID, size }));
  const [first] = mappings;
  return mappings.length === 1 && first?.hostID === 0 && first.containerID === 0 ? undefined : mappings;
}
