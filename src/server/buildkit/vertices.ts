import { createHash } from 'node:crypto';
import type { vertexMessage } from '../../api/buildkit/control.ts';
import { type timestampMessage, timestampOf } from '../../api/buildkit/well-known.ts';
import type { InitOf } from '../../api/protobuf.ts';
import type { BuildEvent, BuildOutput, BuildProgress, BuildStep } from '../../build/events.ts';
import { kindOf } from '../../stdx/errors.ts';
import { bareMessageOf } from './errors.ts';
import type { StatusLog } from './status-log.ts';

/** What a task that is no step of the Dockerfile can say of itself. */
export interface Task {
  readonly digest: string;
  /** A line below the task's name, with bytes when they are given; the last one with `done`. */
  status(id: string, progress?: { current?: number; total?: number; done?: boolean }): void;
}

/**
 * Tells a build's events as BuildKit tells its own: as vertices of a graph, with digests, which clients draw. Steps
 * that touch no file (ENV, CMD) are no vertices there, and are not counted: `[2/3] RUN make`.
 */
export class Vertices implements BuildOutput {
  readonly #ref: string;
  readonly #log: StatusLog;
  /** Where it is among those of its stage, as it is shown: `[build 2/5]`. */
  readonly #places = new Map<string, string>();
  /** The vertex before it in its stage. */
  readonly #inputs = new Map<string, string[]>();
  readonly #startedMs = new Map<string, number>();
  /** Steps that had something to do: a FROM without it was here. */
  readonly #busy = new Set<string>();
  readonly #progress = new Map<string, number>();
  /** Of vertices that are one for several platforms: whose steps tell of them. */
  readonly #tellers = new Map<string, string>();
  readonly #failed = new Set<string>();
  #image: InitOf<typeof vertexMessage> | undefined;
  /** Of what is said of the image and not done yet. */
  readonly #imageStarted = new Map<string, InitOf<typeof timestampMessage>>();
  #tasks = 0;
  #triggers = 0;
  #warnings = 0;
  /** Steps say why they were or were not found in the cache: a line of their output. */
  explains = false;
  cached = 0;
  completed = 0;
  total = 0;

  constructor(ref: string, log: StatusLog) {
    this.#ref = ref;
    this.#log = log;
  }

  get warnings(): number {
    return this.#warnings;
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'planned':
        this.#plan(event.steps, event.alone);
        return;
      case 'lintWarning': {
        const { warning, source } = event;
        this.#warnings++;
        const shown = warning.detail === '' ? warning.description : warning.detail;
        const { first, last } = warning.lines;
        this.#log.append({
          warnings: [
            {
              vertex: this.#digestOf('lint'),
              level: 1,
              short: Buffer.from(`${warning.rule}: ${shown} (line ${first})`),
              detail: [Buffer.from(warning.description)],
              url: warning.url,
              info: { filename: source.file, data: Buffer.from(source.text), language: 'Dockerfile' },
              ranges: [{ start: { line: first }, end: { line: last } }],
            },
          ],
        });
        return;
      }
      case 'built':
        this.#imageStatus(`writing image ${event.imageId}`);
        return;
      case 'tagged':
        this.#imageStatus(`naming to ${canonicalName(event.asked)}`);
        return;
      case 'pushing':
        this.#imageStatus('pushing layers', { done: false });
        return;
      case 'pushed':
        this.#imageStatus('pushing layers');
        this.#imageStatus(`pushing manifest for ${canonicalName(event.reference)}@${event.digest}`);
        return;
      case 'exported':
        this.imageDone();
        return;
      case 'warning':
      case 'dockerfileWarning':
        this.#warnings++;
        this.#log.append({
          warnings: [{ vertex: this.#digestOf('lint'), level: 1, short: Buffer.from(event.text.trim()) }],
        });
        return;
      default:
        if ('step' in event) this.#step(event);
    }
  }

  /** The image goes into the store: what is said of that becomes a vertex. */
  expectImage(): void {
    this.#image = { digest: this.#digestOf('image'), name: 'exporting to image' };
  }

  /** The build is over, and with it the export into the store if it had begun. */
  imageDone(error?: unknown): void {
    if (this.#image?.started === undefined) return;
    this.#log.append({
      vertexes: [
        {
          ...this.#image,
          completed: timestampOf(Date.now()),
          ...(error === undefined ? {} : { error: errorText(error) }),
        },
      ],
    });
    this.#image = undefined;
  }

  /** Work besides the Dockerfile's, as a vertex of its own. */
  async task<T>(name: string, work: (task: Task) => Promise<T>): Promise<T> {
    const digest = this.#digestOf(`task ${this.#tasks++}`);
    const startedMs = Date.now();
    const vertex = { digest, name, started: timestampOf(startedMs) };
    this.#log.append({ vertexes: [vertex] });
    const begun = new Map<string, number>();
    const task: Task = {
      digest,
      status: (id, { current = 0, total = 0, done = false } = {}) => {
        const now = Date.now();
        const statusStartedMs = begun.get(id) ?? now;
        begun.set(id, statusStartedMs);
        this.#log.append({
          statuses: [
            {
              id,
              vertex: digest,
              current,
              total,
              timestamp: timestampOf(now),
              started: timestampOf(statusStartedMs),
              ...(done ? { completed: timestampOf(now) } : {}),
            },
          ],
        });
      },
    };
    try {
      const result = await work(task);
      this.#log.append({ vertexes: [{ ...vertex, completed: timestampOf(Date.now()) }] });
      return result;
    } catch (error) {
      this.#log.append({
        vertexes: [{ ...vertex, completed: timestampOf(Date.now()), error: errorText(error) }],
      });
      throw error;
    }
  }

  #imageStatus(id: string, { done = true } = {}): void {
    if (this.#image === undefined) return;
    const now = timestampOf(Date.now());
    const started = this.#imageStarted.get(id) ?? now;
    if (done) this.#imageStarted.delete(id);
    else this.#imageStarted.set(id, started);
    if (this.#image.started === undefined) {
      this.#image = { ...this.#image, started: now };
      this.#log.append({ vertexes: [this.#image] });
    }
    const { digest: vertex } = this.#image;
    this.#log.append({
      statuses: [{ id, vertex, timestamp: now, started, ...(done ? { completed: now } : {}) }],
    });
  }

  #plan(steps: readonly BuildStep[], alone: boolean): void {
    const counted = steps.filter(step => isVertex(step, steps));
    const stages = Map.groupBy(counted, step => step.stage);
    this.total += counted.filter(step => !this.#places.has(keyOf(step))).length;
    for (const [stage, ofStage] of stages) {
      const total = ofStage.length;
      const { stageName, platform } = ofStage[0]!;
      const label =
        (platform === undefined ? '' : `${platform.label} `) +
        (alone ? '' : `${stageName ?? `stage-${stage}`} `);
      let before: string | undefined;
      for (const [index, step] of ofStage.entries()) {
        const key = keyOf(step);
        const position = String(index + 1).padStart(String(total).length);
        this.#places.set(key, `[${label}${position}/${total}]`);
        if (before !== undefined) this.#inputs.set(key, [before]);
        before = this.#digestOf(key);
      }
    }
  }

  /**
   * A step that is the same for two platforms is told of by both, and is one vertex: who begins it first tells of it,
   * but the reason of a failure may come from either.
   */
  #isEcho(key: string, event: Extract<BuildEvent, { step: BuildStep }>): boolean {
    const target = event.step.platform?.target;
    if (target === undefined) return false;
    const teller = this.#tellers.get(key) ?? target;
    this.#tellers.set(key, teller);
    if (this.#failed.has(key)) return true;
    const failed = event.type === 'stepFailed' && kindOf(event.error) !== 'cancelled';
    if (failed) this.#failed.add(key);
    return teller !== target && !failed;
  }

  #step(event: Extract<BuildEvent, { step: BuildStep }>): void {
    const { step } = event;
    const key = step.trigger ? `${keyOf(step)} trigger ${this.#triggerOf(event)}` : keyOf(step);
    if (step.trigger && isFileStep(step.text)) {
      this.#places.set(key, `[${step.stageName ?? `stage-${step.stage}`}] ONBUILD`);
    }
    const place = this.#places.get(key);
    if (place === undefined) return;
    const name = `${place} ${shownText(step)}`;
    if (this.#isEcho(key, event)) return;
    const digest = this.#digestOf(key);
    const vertex = { digest, name, inputs: this.#inputs.get(key) ?? [] };
    switch (event.type) {
      case 'stepStarted':
        this.#startedMs.set(key, event.timeMs);
        this.#log.append({ vertexes: [{ ...vertex, started: timestampOf(event.timeMs) }] });
        return;
      case 'stepRunning':
        this.#busy.add(key);
        return;
      case 'log':
        this.#busy.add(key);
        this.#log.output(digest, event.stream === 'stdout' ? 1 : 2, event.chunk, timestampOf(Date.now()));
        return;
      case 'stepExplained': {
        const line = `${event.hit ? 'cached' : 'not cached'}: ${event.sentence}\n`;
        if (this.explains) this.#log.output(digest, 2, Buffer.from(line), timestampOf(Date.now()));
        return;
      }
      case 'progress':
        this.#busy.add(key);
        this.#transfer(digest, event.progress);
        return;
      case 'stepCached':
      case 'stepFinished': {
        const cached = event.type === 'stepCached' || (isFrom(step.text) && !this.#busy.has(key));
        if (cached) this.cached++;
        this.completed++;
        this.#log.append({ vertexes: [{ ...vertex, ...this.#times(key, event.timeMs), cached }] });
        return;
      }
      case 'stepFailed':
        this.#log.append({
          vertexes: [{ ...vertex, ...this.#times(key, event.timeMs), error: errorText(event.error) }],
        });
        return;
      default:
    }
  }

  /** The layers of a pull, by their ids; lines without a layer are about the whole and are not drawn. */
  #transfer(vertex: string, { id, status, currentBytes, totalBytes }: BuildProgress): void {
    if (id === undefined || !/^(Downloading|Download complete|Extracting|Pull complete)$/.test(status))
      return;
    const extracts = status === 'Extracting' || status === 'Pull complete';
    const name = extracts ? `extracting ${id}` : id;
    const key = `${vertex} ${name}`;
    const now = Date.now();
    const startedMs = this.#progress.get(key) ?? now;
    this.#progress.set(key, startedMs);
    this.#log.append({
      statuses: [
        {
          id: name,
          vertex,
          current: currentBytes ?? 0,
          total: totalBytes ?? 0,
          timestamp: timestampOf(now),
          started: timestampOf(startedMs),
          ...(status.endsWith('complete') ? { completed: timestampOf(now) } : {}),
        },
      ],
    });
  }

  #times(key: string, timeMs: number) {
    return { started: timestampOf(this.#startedMs.get(key) ?? timeMs), completed: timestampOf(timeMs) };
  }

  /** Triggers bear the number of their FROM and come one after the other. */
  #triggerOf(event: Extract<BuildEvent, { step: BuildStep }>): number {
    if (event.type === 'stepStarted') this.#triggers++;
    return this.#triggers;
  }

  #digestOf(key: string): string {
    return `sha256:${createHash('sha256').update(`${this.#ref} ${key}`).digest('hex')}`;
  }
}

function keyOf(step: BuildStep): string {
  return `${step.platform?.label ?? ''} ${step.stage}.${step.index}`;
}

function isVertex(step: BuildStep, all: readonly BuildStep[]): boolean {
  if (step.stage < 0) return false;
  if (!isFrom(step.text)) return isFileStep(step.text);
  // Nothing is to be done for one that goes on from nothing, or from another stage.
  const base = /^FROM\s+(?:--\S+\s+)*(\S+)/i.exec(step.text)?.[1]?.toLowerCase();
  if (base === 'scratch') return false;
  return !all.some(({ stage, stageName }) => stage < step.stage && stageName?.toLowerCase() === base);
}

function isFileStep(text: string): boolean {
  return /^(RUN|COPY|ADD|WORKDIR)\b/i.test(text);
}

function isFrom(text: string): boolean {
  return /^FROM\b/i.test(text);
}

/** Clients write CANCELED for exactly these words, which Go has for it. */
function errorText(error: unknown): string {
  return kindOf(error) === 'cancelled' ? 'context canceled' : bareMessageOf(error);
}

/** FROM as BuildKit shows it: the image alone, by its full name. */
function shownText({ image, shown, text }: BuildStep): string {
  if (image === undefined || shown !== undefined) return shown ?? text;
  const name = canonicalName(image);
  return `FROM ${/[:@][^/]*$/.test(name) ? name : `${name}:latest`}`;
}

/** `docker.io/library/web` for `web`; an id is left as it is. */
function canonicalName(name: string): string {
  if (name.startsWith('sha256:')) return name;
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasRegistry ? rest.join('/') : name;
  const registry = hasRegistry ? first : 'docker.io';
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  return `${registry}/${repository}`;
}
