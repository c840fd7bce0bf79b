import { BuildStatus, type Status, seconds, shownBytes, type Vertex, workedMs } from './status.ts';

type Message = Parameters<BuildStatus['add']>[0];

const gatherMs = 100;
/** How much of a transfer makes a new line worth while. */
const worthShare = 0.05;
const worthMs = 5000;
/** How long other vertices wait before the one that is shown makes room. */
const patienceMs = 5000;

/** Draws a build as lines, for files and pipes: those of one vertex stay together as long as they come. */
export class PlainDisplay {
  readonly status = new BuildStatus();
  readonly #write: (text: string) => void;
  readonly #head: string;
  /** Numbers are given in the order in which vertices are shown. */
  readonly #numbers = new Map<Vertex, number>();
  readonly #told = new Map<string, Pick<Status, 'current' | 'timestampMs'>>();
  /** Vertices with something to tell. */
  readonly #waiting = new Set<Vertex>();
  #timer: NodeJS.Timeout | undefined;
  #current: Vertex | undefined;
  #currentSinceMs = 0;
  /** The line that is written has no end yet. */
  #isOpenLine = false;

  /** @param head the first line */
  constructor(write: (text: string) => void, head: string) {
    this.#write = write;
    this.#head = head;
  }

  add(message: Message): void {
    for (const vertex of this.status.add(message)) this.#waiting.add(vertex);
    // What comes in quick succession is told once.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#show(Date.now());
    }, gatherMs);
  }

  /** Nothing more comes. */
  end(): void {
    clearTimeout(this.#timer);
    this.#show(Date.now());
    for (const vertex of this.#waiting) this.#tell(vertex);
  }

  #show(nowMs: number): void {
    const done = [...this.#waiting].filter(isDone);
    done.sort(
      (a, b) => Number(b === this.#current) - Number(a === this.#current) || a.completedMs! - b.completedMs!,
    );
    for (const vertex of done) this.#tell(vertex);
    if (this.#current !== undefined && this.#waiting.has(this.#current)) this.#tell(this.#current);
    const next = this.#waiting.values().next().value;
    if (next === undefined) return;
    if (this.#current === undefined || nowMs - this.#currentSinceMs > patienceMs) {
      this.#currentSinceMs = nowMs;
      this.#tell(next);
    }
  }

  #tell(vertex: Vertex): void {
    this.#waiting.delete(vertex);
    const number = this.#begin(vertex);
    const isOpen = this.#tellStatuses(vertex, number);
    for (const warning of vertex.warnings.splice(0)) {
      this.#closeLine();
      this.#write(`#${number} WARN: ${warning.short}\n`);
    }
    for (const line of vertex.lines) {
      this.#write(this.#isOpenLine ? `${line.slice(this.#opened)}\n` : `#${number} ${line}\n`);
      this.#isOpenLine = false;
      this.#opened = 0;
    }
    vertex.lines = [];
    if (vertex.partial !== '') {
      if (this.#isOpenLine) this.#write(vertex.partial.slice(this.#opened));
      else this.#write(`#${number} ${vertex.partial}`);
      this.#isOpenLine = true;
      this.#opened = vertex.partial.length;
    }
    if (!isDone(vertex) || isOpen) return;
    this.#closeLine();
    this.#current = undefined;
    this.#write(`#${number} ${outcomeOf(vertex)}\n`);
  }

  #opened = 0;

  /** Heads the lines of another vertex than before. */
  #begin(vertex: Vertex): number {
    const known = this.#numbers.get(vertex);
    const number = known ?? this.#numbers.size + 1;
    this.#numbers.set(vertex, number);
    if (vertex === this.#current) return number;
    if (this.#current !== undefined) {
      this.#closeLine();
      this.#write(`#${this.#numbers.get(this.#current)} ...\n`);
    }
    this.#write(number === 1 && known === undefined ? `#0 ${this.#head}\n\n` : '\n');
    this.#write(`#${number} ${vertex.name}\n`);
    this.#current = vertex;
    this.#currentSinceMs = Date.now();
    return number;
  }

  #closeLine(): void {
    if (this.#isOpenLine) this.#write('\n');
    this.#isOpenLine = false;
    this.#opened = 0;
  }

  /** @returns whether one of them goes on. */
  #tellStatuses(vertex: Vertex, number: number): boolean {
    let isOpen = false;
    for (const status of vertex.statuses.values()) {
      if (!vertex.changed.has(status.id)) continue;
      const key = `${vertex.digest} ${status.id}`;
      const before = this.#told.get(key);
      if (before !== undefined && status.completedMs === undefined && !isWorthALine(status, before)) continue;
      this.#told.set(key, status);
      if (status.completedMs === undefined) isOpen = true;
      this.#closeLine();
      this.#write(`#${number} ${statusLine(status)}\n`);
    }
    vertex.changed.clear();
    return isOpen;
  }
}

function isDone(vertex: Vertex): boolean {
  return vertex.completedMs !== undefined;
}

function isWorthALine(status: Status, before: Pick<Status, 'current' | 'timestampMs'>): boolean {
  const share = status.total > 0 ? (status.current - before.current) / status.total : 0;
  return share >= worthShare || status.timestampMs - before.timestampMs >= worthMs;
}

/** `sha256:1234 1.05MB / 2.10MB 0.3s done` */
function statusLine(status: Status): string {
  const { text, spentMs } = statusText(status);
  const time = spentMs > 10 ? ` ${seconds(spentMs)}` : '';
  return `${text}${time}${status.completedMs === undefined ? '' : ' done'}`;
}

export function statusText(status: Status): { text: string; spentMs: number } {
  const { id, current, total, timestampMs, startedMs, completedMs } = status;
  const sizes = [...(current > 0 || total > 0 ? [current] : []), ...(total > 0 ? [total] : [])];
  const bytes = sizes.length === 0 ? '' : ` ${sizes.map(shownBytes).join(' / ')}`;
  const spentMs = startedMs === undefined ? 0 : (completedMs ?? timestampMs) - startedMs;
  return { text: id + bytes, spentMs };
}

function outcomeOf(vertex: Vertex): string {
  if (vertex.error.endsWith('context canceled')) return 'CANCELED';
  if (vertex.error !== '') return `ERROR: ${vertex.error}`;
  return vertex.cached ? 'CACHED' : `DONE ${seconds(workedMs(vertex, vertex.completedMs ?? 0))}`;
}
