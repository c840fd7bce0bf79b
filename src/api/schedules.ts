import type { Schedule } from './containers.ts';

/** Gantry's own: `GET /gantry/schedules`. */
export interface ScheduleSummary extends Schedule {
  /** Of the container. */
  Id: string;
  Name: string;
  Image: string;
  Paused: boolean;
  /** When it comes due next; null while it is paused. */
  Next: string | null;
  /** The run under way, or the newest line of the history; null when there is none yet. */
  Latest: ScheduleRun | null;
}

/** Gantry's own: a line of `GET /gantry/containers/{id}/schedule/runs?limit=`, newest first. */
export interface ScheduleRun {
  Id: number;
  /** `due`, `catch-up` or `manual`. */
  Trigger: string;
  Due: string;
  /** Of skipped and missed ones, which share a line: how many, and the last of them. */
  Times: number;
  LastDue: string;
  /** null when it was not started. */
  StartedAt: string | null;
  /** null while it runs. */
  FinishedAt: string | null;
  ExitCode: number | null;
  /** `starting`, `running`, `success`, `failed`, `skipped`, `missed` or `interrupted`. */
  Outcome: string;
  /** Why it is so; '' otherwise. */
  Note: string;
}
