import type { LogOptions, LogSource } from '../log-source.ts';

/** What a sink is to follow, and what it needs for it. */
export interface FollowRequest {
  id: string;
  driver: string;
  options: LogOptions;
  source: LogSource;
  /** The captured log. */
  logPath: string;
  /** Where the json-file driver writes. */
  jsonPath: string;
  positionPath: string;
  /** Whether more is to come; else what is there is delivered, and that is the end. */
  running: boolean;
}

export type WorkerRequest =
  | { kind: 'follow'; request: FollowRequest }
  /** No more will come: answered when all is delivered, or cannot be at the moment. */
  | { kind: 'end'; id: string; token: number }
  /** Answered when nothing is read or written any more for it, or for any. */
  | { kind: 'forget'; id: string; token: number }
  | { kind: 'close'; token: number };

export type WorkerReport =
  | { kind: 'answer'; token: number }
  | { kind: 'note'; id: string; level: 'info' | 'warn'; text: string };
