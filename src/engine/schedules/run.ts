/** `starting`: the row that is written before the start. The last three never ran to an end of their own. */
export type RunOutcome = 'starting' | 'running' | 'success' | 'failed' | 'skipped' | 'missed' | 'interrupted';

/** `due`: in its time; `catch-up`: later, as the daemon was down; `manual`: somebody asked for it. */
export type RunTrigger = 'due' | 'catch-up' | 'manual';

/** A line of a schedule's history. Times are milliseconds since the epoch. */
export interface ScheduledRun {
  readonly id: number;
  readonly containerId: string;
  trigger: RunTrigger;
  dueMs: number;
  /** Of skipped and missed ones, which share a line: how many, and the last of them. */
  times: number;
  lastDueMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  exitCode?: number;
  outcome: RunOutcome;
  /** Why it is so; '' otherwise. */
  error: string;
}

export interface RunEnd {
  exitCode: number;
  finishedAtMs: number;
  /** Nobody saw it end. */
  lost?: boolean;
  stoppedByUser: boolean;
  /** An edit has put another process in its place. */
  replaced: boolean;
}

/** What became of a run whose process has ended. */
export function outcomeOf(end: RunEnd): { outcome: RunOutcome; error: string } {
  if (end.lost) return { outcome: 'interrupted', error: 'nobody saw it end' };
  if (end.replaced) return { outcome: 'interrupted', error: 'its process was replaced by an edit' };
  if (end.exitCode === 0) return { outcome: 'success', error: '' };
  // Also a signal that was not meant to end it counts as one that was; then its code tells.
  return end.stoppedByUser
    ? { outcome: 'interrupted', error: 'stopped by hand' }
    : { outcome: 'failed', error: '' };
}
