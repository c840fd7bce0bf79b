import type { HostConfig } from './config.ts';

/** What boot-plan reads of a container. */
export interface BootCandidate {
  id: string;
  name: string;
  hostConfig: Pick<HostConfig, 'networkMode' | 'pidMode' | 'ipcMode' | 'links'>;
}

/**
 * The order in which containers start with the daemon: ids in levels, each level after the one before it, so that
 * whose namespaces are joined, and whose addresses are linked, runs first. Circles, which only links can make, come
 * last.
 */
export function planBoot(candidates: readonly BootCandidate[]): string[][] {
  const waiting = new Map(candidates.map(candidate => [candidate.id, needsOf(candidate, candidates)]));
  const levels: string[][] = [];
  while (waiting.size > 0) {
    const ready = [...waiting].filter(([, needs]) => needs.every(id => !waiting.has(id))).map(([id]) => id);
    const level = ready.length > 0 ? ready : [...waiting.keys()];
    for (const id of level) waiting.delete(id);
    levels.push(level);
  }
  return levels;
}

/** Ids of those among the candidates that it cannot start without. */
function needsOf({ hostConfig }: BootCandidate, candidates: readonly BootCandidate[]): string[] {
  const { networkMode, pidMode, ipcMode, links } = hostConfig;
  const joined = [networkMode, pidMode, ipcMode].flatMap(mode =>
    mode.startsWith('container:') ? [mode.slice('container:'.length)] : [],
  );
  const refs = [...joined, ...links.map(link => link.split(':', 1)[0]!)];
  return candidates
    .filter(({ id, name }) => refs.some(ref => ref === id || ref === name))
    .map(({ id }) => id);
}
