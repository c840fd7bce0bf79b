import type { Output } from '../../output/output.ts';

/** What becomes of one thing: a container, an image, a layer of it. */
export interface ProgressEvent {
  /** What it is told by: `Container shop-web-1`. */
  id: string;
  /** In a word or two: `Creating`. */
  status: string;
  /** `stands`: it was so already. */
  state: 'working' | 'done' | 'stands' | 'failed';
  /** The id of what it is a part of. */
  parent?: string;
  /** How far it is, of how much; 0 of 0 when nobody knows. */
  current?: number;
  total?: number;
}

/** Shows how a command of `compose` comes along. */
export interface Progress {
  readonly mode: ProgressMode;
  tell(event: ProgressEvent): void;
  /** An output for everything else that is said meanwhile: it does not get into what is drawn. */
  beside(output: Output): Output;
  /** Nothing more comes. What is drawn stays. */
  end(): void;
}

export type ProgressMode = 'tty' | 'plain' | 'json' | 'quiet';
