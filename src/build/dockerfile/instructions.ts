import type { LineRange } from './errors.ts';
import type { Heredoc } from './heredoc.ts';

/** Where an instruction stands and how it was written. */
export interface Located {
  lines: LineRange;
  /** Continuation lines joined, heredoc bodies left out. */
  text: string;
}

export interface KeyValue {
  key: string;
  value: string;
}

/** Instructions as written: no variable is expanded yet, words keep their quotes where expansion removes them. */
export type Instruction = Located &
  (
    | FromInstruction
    | RunInstruction
    | CopyInstruction
    | { kind: 'ENV'; pairs: KeyValue[] }
    | { kind: 'LABEL'; pairs: KeyValue[] }
    | ArgInstruction
    | { kind: 'WORKDIR'; path: string }
    | { kind: 'USER'; user: string }
    | { kind: 'EXPOSE'; ports: string[] }
    | { kind: 'VOLUME'; paths: string[] }
    | { kind: 'CMD'; command: Command }
    | { kind: 'ENTRYPOINT'; command: Command }
    | { kind: 'SHELL'; shell: string[] }
    | { kind: 'STOPSIGNAL'; signal: string }
    | HealthcheckInstruction
    | { kind: 'ONBUILD'; expression: string }
    | { kind: 'MAINTAINER'; maintainer: string }
  );

export interface FromInstruction {
  kind: 'FROM';
  base: string;
  name?: string;
  platform?: string;
}

/** Shell form: one element, given to the shell of the image. Exec form: run as it is. */
export interface Command {
  shell: boolean;
  args: string[];
}

export interface RunInstruction {
  kind: 'RUN';
  command: Command;
  heredocs: Heredoc[];
  mounts: RunMount[];
  network: 'default' | 'none' | 'host';
  security: 'sandbox' | 'insecure';
}

/** `--mount=type=cache,target=/x`: fields in order, lower-case keys, values not expanded; bare words have `true`. */
export interface RunMount {
  fields: KeyValue[];
  /** The one field that is never expanded, as the graph needs it. */
  from?: string;
}

export interface CopyInstruction {
  kind: 'COPY' | 'ADD';
  sources: CopySource[];
  destination: string;
  /** COPY only: stage name or index, or an image. */
  from?: string;
  chown?: string;
  chmod?: string;
  link: boolean;
  parents: boolean;
  exclude: string[];
  /** ADD of one URL: `sha256:...`; of a git repository: the first digits of the commit. */
  checksum?: string;
  /** ADD of a git repository: with its `.git`. */
  keepGitDir?: boolean;
  /** ADD: false keeps local archives as they are; undefined is ADD's default. */
  unpack?: boolean;
}

export type CopySource = { type: 'path'; path: string } | { type: 'heredoc'; heredoc: Heredoc };

export interface ArgInstruction {
  kind: 'ARG';
  args: { name: string; defaultValue?: string }[];
}

export interface HealthcheckInstruction {
  kind: 'HEALTHCHECK';
  /** As in the image's config: ['NONE'], ['CMD', ...], ['CMD-SHELL', text]. */
  test: string[];
  intervalNs: number;
  timeoutNs: number;
  startPeriodNs: number;
  startIntervalNs: number;
  retries: number;
}

export type InstructionKind = Instruction['kind'];
export type InstructionOf<K extends InstructionKind> = Extract<Instruction, { kind: K }>;
