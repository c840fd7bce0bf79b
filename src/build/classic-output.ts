import { type Digest, hexOf } from '../oci/digest.ts';
import type { BuildEvent, BuildProgress, BuildStep, StepResult } from './events.ts';

/** One message for a client of the classic API: text for its `stream`, or a line of progress. */
export type ClassicLine =
  | { type: 'stream'; text: string }
  | { type: 'progress'; progress: BuildProgress }
  /** `aux` with the image's id, by which newer clients learn it. */
  | { type: 'imageId'; id: Digest };

/**
 * Turns a build's events into the text dockerd's classic builder prints. Stages run at once; their text is held back
 * until all steps before it in the Dockerfile have ended, so that it reads as if they ran one after the other.
 */
export class ClassicOutput {
  readonly #emit: (line: ClassicLine) => void;
  /** Held back lines by step number. */
  readonly #held = new Map<number, ClassicLine[]>();
  readonly #ended = new Set<number>();
  /** Of the last step or trigger of a number. */
  readonly #results = new Map<number, StepResult>();
  readonly #decoders = new Map<number, TextDecoder>();
  /** The step whose lines go out at once. */
  #current = 1;

  constructor(emit: (line: ClassicLine) => void) {
    this.#emit = emit;
  }

  event(event: BuildEvent): void {
    const lines = linesOf(event, (step, chunk) => this.#decode(step, chunk));
    if (event.type === 'stepFinished' || event.type === 'stepCached')
      this.#results.set(event.step.number, event.result);
    if (!('step' in event)) {
      if (event.type === 'built') this.flush();
      for (const line of lines) this.#emit(line);
      return;
    }
    const { step } = event;
    // A step's id comes last: that of a FROM is the one its triggers leave.
    const result = this.#results.get(step.number);
    if (event.type === 'stepEnded' && result !== undefined) lines.push(...arrow(result.stateId));
    this.#add(step.number, lines);
    if (event.type !== 'stepEnded') return;
    this.#ended.add(step.number);
    this.#advance();
  }

  /** Writes what is still held back; to be called when the build has failed. */
  flush(): void {
    for (const number of [...this.#held.keys()].sort((a, b) => a - b)) this.#release(number);
  }

  #add(number: number, lines: ClassicLine[]): void {
    if (number === this.#current) {
      for (const line of lines) this.#emit(line);
      return;
    }
    const held = this.#held.get(number);
    if (held === undefined) this.#held.set(number, lines);
    else held.push(...lines);
  }

  #advance(): void {
    while (this.#ended.has(this.#current)) {
      this.#current++;
      this.#release(this.#current);
    }
  }

  #release(number: number): void {
    for (const line of this.#held.get(number) ?? []) this.#emit(line);
    this.#held.delete(number);
  }

  /** A character cut by the end of a chunk waits for its other half. */
  #decode(step: BuildStep, chunk: Buffer): string {
    let decoder = this.#decoders.get(step.number);
    if (decoder === undefined) {
      decoder = new TextDecoder();
      this.#decoders.set(step.number, decoder);
    }
    return decoder.decode(chunk, { stream: true });
  }
}

function linesOf(event: BuildEvent, decode: (step: BuildStep, chunk: Buffer) => string): ClassicLine[] {
  switch (event.type) {
    // The classic builder has no linter, and pushes nothing.
    case 'lintWarning':
    case 'pushing':
    case 'pushed':
    case 'exported':
    case 'planned':
    case 'stepEnded':
    case 'stepExplained':
    case 'stepFailed':
      return [];
    case 'dockerfileWarning':
      return text(red(event.text));
    case 'warning':
      return text(`[Warning] ${event.text}\n`);
    case 'stepStarted':
      return event.step.trigger
        ? []
        : text(`Step ${event.step.number}/${event.step.total} : ${event.step.text}\n`);
    case 'triggers':
      return text(`# Executing ${event.count} build trigger${event.count === 1 ? '' : 's'}\n`);
    case 'stepRunning':
      return text(` ---> Running in ${event.runId.slice(0, 12)}\n`);
    case 'log':
      return text(inColourOf(event.stream, decode(event.step, event.chunk)));
    case 'progress':
      return [{ type: 'progress', progress: event.progress }];
    case 'stepCached':
      return text(' ---> Using cache\n');
    case 'stepFinished': {
      const { runId } = event.result;
      return runId === undefined ? [] : text(`Removing intermediate container ${runId.slice(0, 12)}\n`);
    }
    case 'built':
      return [
        { type: 'imageId', id: event.imageId },
        ...text(`Successfully built ${shortId(event.imageId)}\n`),
      ];
    case 'tagged':
      return text(`Successfully tagged ${event.reference}\n`);
  }
}

/** What a step writes to stderr is red (moby, pkg/streamformatter, NewStderrWriter). */
function inColourOf(stream: 'stdout' | 'stderr', content: string): string {
  return stream === 'stdout' || content === '' ? content : red(content);
}

function red(content: string): string {
  return `\u001b[91m${content}\u001b[0m`;
}

function text(content: string): ClassicLine[] {
  return content === '' ? [] : [{ type: 'stream', text: content }];
}

/** FROM scratch prints an empty one in dockerd too. */
function arrow(stateId: Digest | undefined): ClassicLine[] {
  return text(` ---> ${stateId === undefined ? '' : shortId(stateId)}\n`);
}

function shortId(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}
