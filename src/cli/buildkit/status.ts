import type { statusResponse } from '../../api/buildkit/control.ts';
import { timeMsOf } from '../../api/buildkit/well-known.ts';
import type { MessageOf } from '../../api/protobuf.ts';

type StatusMessage = MessageOf<typeof statusResponse>;

/** One piece of a build's work, as far as it is known. */
export interface Vertex {
  digest: string;
  name: string;
  /** From 1, in the order of their beginnings; 0: it has not begun. */
  number: number;
  startedMs?: number;
  completedMs?: number;
  /** Of all its runs together: a vertex can be done in several. */
  runsMs: Map<number, number | undefined>;
  cached: boolean;
  error: string;
  statuses: Map<string, Status>;
  /** What came since it was drawn last. */
  changed: Set<string>;
  /** Whole lines, each with the seconds since the vertex began before it. */
  lines: string[];
  /** A line without an end. */
  partial: string;
  /** Since it was drawn last. */
  warnings: Warning[];
  /** The last lines of all, for the case that it fails. */
  lastLines: string[];
}

export interface Status {
  id: string;
  current: number;
  total: number;
  timestampMs: number;
  startedMs?: number;
  completedMs?: number;
}

export interface Warning {
  short: string;
}

/** What has been told of a build so far. */
export class BuildStatus {
  readonly vertices = new Map<string, Vertex>();
  readonly warnings: Warning[] = [];
  #begun = 0;
  readonly #decoders = new Map<string, TextDecoder>();

  /** @returns the vertices that something was told of, in the order it was told. */
  add(message: StatusMessage): Set<Vertex> {
    const touched = new Set<Vertex>();
    for (const told of message.vertexes) {
      const vertex = this.#vertex(told.digest);
      const startedMs = told.started && timeMsOf(told.started);
      const completedMs = told.completed && timeMsOf(told.completed);
      // What is told of a vertex before it begins may come after its beginning.
      if (startedMs === undefined && vertex.startedMs !== undefined) continue;
      Object.assign(vertex, {
        name: told.name,
        cached: told.cached,
        error: told.error,
        startedMs,
        completedMs,
      });
      if (startedMs === undefined) continue;
      if (vertex.number === 0) vertex.number = ++this.#begun;
      vertex.runsMs.set(startedMs, completedMs);
      touched.add(vertex);
    }
    for (const told of message.statuses) {
      const vertex = this.#vertex(told.vertex);
      vertex.statuses.set(told.id, {
        id: told.id,
        current: told.current,
        total: told.total,
        timestampMs: told.timestamp === undefined ? 0 : timeMsOf(told.timestamp),
        startedMs: told.started && timeMsOf(told.started),
        completedMs: told.completed && timeMsOf(told.completed),
      });
      vertex.changed.add(told.id);
      touched.add(vertex);
    }
    for (const { vertex: digest, data, timestamp } of message.logs) {
      const vertex = this.#vertex(digest);
      const stamp = stampOf(vertex, timestamp === undefined ? Date.now() : timeMsOf(timestamp));
      const [rest = '', ...more] = this.#decode(digest, data).split('\n');
      const begun = vertex.partial === '' && (rest !== '' || more.length > 0) ? stamp : '';
      const parts = [vertex.partial + begun + rest, ...more.map(part => stamp + part)];
      const last = parts.pop()!;
      vertex.partial = last === stamp && more.length > 0 ? '' : last;
      const lines = parts.map(line => line.replace(/\r$/, ''));
      vertex.lines.push(...lines);
      vertex.lastLines = [...vertex.lastLines, ...lines].slice(-keptLines);
      touched.add(vertex);
    }
    for (const { vertex: digest, short } of message.warnings) {
      const warning = { short: short.toString() };
      this.warnings.push(warning);
      const vertex = this.#vertex(digest);
      vertex.warnings.push(warning);
      touched.add(vertex);
    }
    for (const vertex of touched) if (vertex.number === 0) touched.delete(vertex);
    return touched;
  }

  #vertex(digest: string): Vertex {
    let vertex = this.vertices.get(digest);
    if (vertex === undefined) {
      vertex = {
        digest,
        name: '',
        number: 0,
        runsMs: new Map(),
        cached: false,
        error: '',
        statuses: new Map(),
        changed: new Set(),
        lines: [],
        partial: '',
        warnings: [],
        lastLines: [],
      };
      this.vertices.set(digest, vertex);
    }
    return vertex;
  }

  /** A character cut by the end of a piece waits for its other half. */
  #decode(digest: string, data: Buffer): string {
    let decoder = this.#decoders.get(digest);
    if (decoder === undefined) {
      decoder = new TextDecoder();
      this.#decoders.set(digest, decoder);
    }
    return decoder.decode(data, { stream: true });
  }
}

const keptLines = 10;

/** `0.093 `: the less time, the more digits. */
function stampOf({ startedMs }: Vertex, timeMs: number): string {
  const spent = Math.max(0, timeMs - (startedMs ?? timeMs)) / 1000;
  const digits = spent < 10 ? 3 : spent < 100 ? 2 : 1;
  return `${spent.toFixed(digits)} `;
}

/** How long it has worked, waiting between its runs left out. */
export function workedMs(vertex: Vertex, nowMs: number): number {
  const runs = [...vertex.runsMs].map(([start, end]) => ({ start, end: end ?? nowMs }));
  let sum = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { start, end } of runs.sort((a, b) => a.start - b.start)) {
    sum += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return sum;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`;
}

/** `1.50MB`, as BuildKit's clients write sizes. */
export function shownBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(2)}${units[unit]}`;
}
