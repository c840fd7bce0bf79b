import { stripVTControlCharacters } from 'node:util';
import type { Output } from '../output/output.ts';
import { statusText } from './plain-display.ts';
import { BuildStatus, seconds, type Vertex, workedMs } from './status.ts';

type Message = Parameters<BuildStatus['add']>[0];

const redrawMs = 100;
/** Lines of output shown below a vertex that works. */
const logLines = 6;
const blue = '34';
const red = '31';

/**
 * Draws a build in place: a line for each vertex, what it does below it while it works. What does not fit on the
 * screen is left out from the top until the build is over.
 */
export class TerminalDisplay {
  readonly status = new BuildStatus();
  readonly #out: Output;
  readonly #place: string;
  readonly #startedMs = Date.now();
  readonly #timer: NodeJS.Timeout;
  /** The last lines of vertices that work. */
  readonly #logs = new Map<Vertex, string[]>();
  #drawnLines = 0;

  /** @param place who builds: `docker:default` */
  constructor(out: Output, place: string) {
    this.#out = out;
    this.#place = place;
    this.#timer = setInterval(() => this.#draw(false), redrawMs);
  }

  add(message: Message): void {
    for (const vertex of this.status.add(message)) {
      const before = this.#logs.get(vertex) ?? [];
      this.#logs.set(vertex, [...before, ...vertex.lines.splice(0)].slice(-logLines));
    }
  }

  end(): void {
    clearInterval(this.#timer);
    this.#draw(true);
  }

  #draw(final: boolean): void {
    const { rows, columns } = this.#out.size();
    const begun = [...this.status.vertices.values()]
      .filter(vertex => vertex.number > 0)
      .sort((a, b) => a.number - b.number);
    const done = begun.filter(vertex => vertex.completedMs !== undefined).length;
    const spent = seconds(Date.now() - this.#startedMs);
    const head = `[+] Building ${spent} (${done}/${this.status.vertices.size})${final ? ' FINISHED' : ''}`;
    let lines = begun.flatMap(vertex => this.#linesOf(vertex, final, columns));
    if (!final) lines = lines.slice(-Math.max(1, rows - 2));
    const place = this.#place.padStart(Math.max(1, columns - 1 - head.length));
    const text = [fit(head + place, columns), ...lines].join('\n');
    const back = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A\r\x1b[J`;
    this.#out.write(`${back}${text}\n`);
    this.#drawnLines = lines.length + 1;
  }

  #linesOf(vertex: Vertex, final: boolean, columns: number): string[] {
    const works = vertex.completedMs === undefined;
    const failed = vertex.error !== '';
    const canceled = vertex.error.endsWith('context canceled');
    const mark = canceled ? 'CANCELED ' : failed ? 'ERROR ' : vertex.cached ? 'CACHED ' : '';
    const time = seconds(workedMs(vertex, vertex.completedMs ?? Date.now()));
    const colour = failed && !canceled ? red : works ? '' : blue;
    const lines = [coloured(timed(` => ${mark}${vertex.name}`, time, columns), colour)];
    for (const status of vertex.statuses.values()) {
      const { text, spentMs } = statusText(status);
      if (works || final) {
        const statusColour = status.completedMs === undefined ? '' : blue;
        lines.push(coloured(timed(` => => ${text}`, seconds(spentMs), columns), statusColour));
      }
    }
    if (works && !final) {
      for (const line of this.#logs.get(vertex) ?? []) lines.push(fit(` => => # ${bare(line)}`, columns));
    }
    return lines;
  }
}

/** Without the seconds before it, and without what would move the cursor. */
function bare(line: string): string {
  return stripVTControlCharacters(line.slice(line.indexOf(' ') + 1)).replaceAll('\t', ' ');
}

function timed(text: string, time: string, columns: number): string {
  const room = columns - 1 - time.length;
  const cut = text.length > room - 1 ? `${text.slice(0, Math.max(0, room - 4))}...` : text;
  return fit(cut.padEnd(room) + time, columns);
}

/** One column stays free, or some terminals begin a new line. */
function fit(text: string, columns: number): string {
  return text.slice(0, Math.max(1, columns - 1)).trimEnd();
}

function coloured(text: string, colour: string): string {
  return colour === '' ? text : `\x1b[${colour}m${text}\x1b[0m`;
}
