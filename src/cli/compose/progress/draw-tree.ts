import { styleText } from 'node:util';
import type { ProgressEvent } from './progress.ts';

/** One thing of the tree and how long it has taken. */
export interface TreeEntry extends ProgressEvent {
  startedMs: number;
  /** When it was told to be done or to have failed. */
  endedMs?: number;
}

export interface TreeSize {
  rows: number;
  columns: number;
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const spinnerMs = 100;

/**
 * The tree as lines: a head that counts, the things in the order in which they were first told of, below each the parts
 * that are not done. What does not fit on the screen is left out: parts first, then what is done.
 * @param title what is being done: `Running`
 * @param colour the lines have escape sequences that colour them
 */
export function drawTree(
  title: string,
  entries: readonly TreeEntry[],
  { rows, columns }: TreeSize,
  nowMs: number,
  colour: boolean,
): string[] {
  const tops = entries.filter(({ parent }) => parent === undefined);
  const ended = tops.filter(isEnded).length;
  const head = `[+] ${title} ${ended}/${tops.length}`;
  const room = Math.max(1, rows - 2);
  const shown = fitting(entries, tops, room);
  // Parts come and go: the columns stay where they are.
  const width = Math.max(0, ...tops.map(entry => nameOf(entry).length));
  const left = tops.length - shown.filter(({ parent }) => parent === undefined).length;
  const lines = shown.map(entry => drawEntry(entry, width, columns, nowMs, colour));
  const more = left > 0 ? [cut(` ... ${left} more`, columns)] : [];
  const style = (text: string) =>
    colour && ended === tops.length ? styleText('blue', text, { validateStream: false }) : text;
  return [style(cut(head, columns)), ...lines, ...more];
}

function fitting(entries: readonly TreeEntry[], tops: readonly TreeEntry[], room: number): TreeEntry[] {
  const partsOf = (id: string) => entries.filter(({ parent }) => parent === id);
  const whole = tops.flatMap(top =>
    isEnded(top) ? [top] : [top, ...partsOf(top.id).filter(part => !isEnded(part))],
  );
  if (whole.length <= room) return whole;
  if (tops.length <= room) return [...tops];
  // One line says how many are left out.
  const working = tops.filter(top => !isEnded(top)).slice(0, room - 1);
  const done = tops.filter(isEnded).slice(Math.min(0, working.length - (room - 1)) || tops.length);
  return tops.filter(top => working.includes(top) || done.includes(top));
}

function isEnded({ state }: ProgressEvent): boolean {
  return state !== 'working';
}

function nameOf({ id, parent }: ProgressEvent): string {
  return parent === undefined ? ` ${id}` : `   ${id}`;
}

function drawEntry(entry: TreeEntry, width: number, columns: number, nowMs: number, colour: boolean): string {
  const { status, state, startedMs, endedMs } = entry;
  const time = `${(Math.max(0, (endedMs ?? nowMs) - startedMs) / 1000).toFixed(1)}s`;
  const name = nameOf(entry).padEnd(width);
  const bar = barOf(entry);
  const room = Math.max(8, columns - 1 - 2 - time.length - 1);
  const text = cut(`${name}  ${status}${bar === '' ? '' : ` ${bar}`}`, room + 1).padEnd(room);
  const mark = markOf(state, nowMs - startedMs);
  const style = styles[state];
  if (!colour) return ` ${mark}${text} ${time}`;
  const paint = (of: Parameters<typeof styleText>[0], what: string) =>
    styleText(of, what, { validateStream: false });
  const at = text.indexOf(status, name.length);
  const painted =
    at < 0 || style === undefined
      ? text
      : text.slice(0, at) + paint(style, status) + text.slice(at + status.length);
  return ` ${paint(style ?? 'yellow', mark)}${painted} ${paint('blue', time)}`;
}

const styles = { done: 'green', stands: 'green', failed: 'red', working: undefined } as const;

function markOf(state: ProgressEvent['state'], spentMs: number): string {
  if (state === 'failed') return '✘';
  if (state !== 'working') return '✔';
  return spinner[Math.floor(Math.max(0, spentMs) / spinnerMs) % spinner.length]!;
}

function barOf({ current = 0, total = 0, state }: ProgressEvent): string {
  if (state !== 'working' || total <= 0) return '';
  const share = Math.min(1, current / total);
  const filled = Math.round(share * 20);
  return `[${'='.repeat(filled)}${' '.repeat(20 - filled)}] ${Math.floor(share * 100)}%`;
}

/** One column stays free, or some terminals begin a new line. */
function cut(text: string, columns: number): string {
  return text.slice(0, Math.max(1, columns - 1));
}
