import type { ContainerState } from '../../engine/containers/container.ts';
import { humanDuration } from '../../stdx/human-duration.ts';

/** The STATUS column of `docker ps` (moby's State.String). */
export function statusText(state: ContainerState, nowMs: number): string {
  const since = (ms: number) => humanDuration(nowMs - ms);
  switch (state.status) {
    case 'paused':
      return `Up ${since(state.startedAtMs)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAtMs)} ago`;
    case 'running': {
      const { health } = state;
      const note =
        health === undefined
          ? ''
          : health.status === 'starting'
            ? ' (health: starting)'
            : ` (${health.status})`;
      return `Up ${since(state.startedAtMs)}${note}`;
    }
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
    case 'exited':
      if (state.startedAtMs === 0) return 'Created';
      return state.finishedAtMs === 0 ? '' : `Exited (${state.exitCode}) ${since(state.finishedAtMs)} ago`;
  }
}
