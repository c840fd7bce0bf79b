import type { CodePoints } from './code-points.ts';
import { perlClasses } from './code-points.ts';
import { type Expression, PatternError, type Position, parsePattern } from './parse.ts';

/** One state of the machine. */
type Instruction =
  | { kind: 'character'; has: CodePoints; next: number }
  | { kind: 'position'; at: Position; next: number }
  | { kind: 'split'; next: number; other: number }
  | { kind: 'fits' };

/** What the work on one character is bounded by: counted repetitions are written out, `x{1000}` is a thousand states. */
const maxStates = 4000;

/**
 * A regular expression in Go's syntax, which Docker's filters are. All states that the text so far can lead to are
 * followed at once (Thompson's construction), so the time is linear in the text whatever the expression is:
 * JavaScript's own engine tries one after the other, and `(a+)+$` would hold the daemon for hours.
 */
export class GoRegexp {
  readonly #program: Instruction[] = [];
  readonly #start: number;

  /** @throws PatternError when it is none, or has more than 4000 states */
  constructor(pattern: string) {
    const end = this.#add({ kind: 'fits' });
    this.#start = this.#compile(parsePattern(pattern), end);
  }

  /** Whether it fits the text or a part of it. */
  fits(text: string): boolean {
    const points = [...text].map(character => character.codePointAt(0)!);
    let states: number[] = [];
    for (let at = 0; at <= points.length; at++) {
      // It may begin anywhere.
      const reached = this.#reach([...states, this.#start], points, at);
      if (reached === undefined) return true;
      const point = points[at];
      if (point === undefined) return false;
      states = reached.flatMap(index => this.#after(index, point));
    }
    return false;
  }

  /** Where a state leads with one character: to one other state or to none. */
  #after(index: number, point: number): number[] {
    const instruction = this.#program[index]!;
    return instruction.kind === 'character' && instruction.has(point) ? [instruction.next] : [];
  }

  /** The states that wait for a character, reached without taking one; undefined: the end is among them. */
  #reach(from: readonly number[], points: readonly number[], at: number): number[] | undefined {
    const seen = new Set<number>();
    const waiting: number[] = [];
    const pending = [...from];
    while (pending.length > 0) {
      const index = pending.pop()!;
      if (seen.has(index)) continue;
      seen.add(index);
      const instruction = this.#program[index]!;
      if (instruction.kind === 'fits') return undefined;
      if (instruction.kind === 'character') waiting.push(index);
      else if (instruction.kind === 'split') pending.push(instruction.next, instruction.other);
      else if (isAt(instruction.at, points, at)) pending.push(instruction.next);
    }
    return waiting;
  }

  /** @returns where the expression begins; it goes on at `next` */
  #compile(expression: Expression, next: number): number {
    switch (expression.kind) {
      case 'character':
      case 'position':
        return this.#add({ ...expression, next });
      case 'sequence':
        return expression.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case 'choice':
        return expression.options
          .map(option => this.#compile(option, next))
          .reduceRight((other, option) => this.#add({ kind: 'split', next: option, other }));
      case 'repeat':
        return this.#repeat(expression, next);
    }
  }

  #repeat({ part, min, max }: Extract<Expression, { kind: 'repeat' }>, next: number): number {
    let at = next;
    if (max === Number.POSITIVE_INFINITY) at = this.#loop(part, next);
    else for (let count = min; count < max; count++) at = this.#optional(part, at, next);
    for (let count = 0; count < min; count++) at = this.#compile(part, at);
    return at;
  }

  #loop(part: Expression, next: number): number {
    const split = { kind: 'split' as const, next, other: next };
    const at = this.#add(split);
    split.other = this.#compile(part, at);
    return at;
  }

  #optional(part: Expression, after: number, otherwise: number): number {
    return this.#add({ kind: 'split', next: this.#compile(part, after), other: otherwise });
  }

  #add(instruction: Instruction): number {
    if (this.#program.length === maxStates) throw new PatternError('expression is too large');
    return this.#program.push(instruction) - 1;
  }
}

function isAt(position: Position, points: readonly number[], at: number): boolean {
  const newline = 10;
  switch (position) {
    case 'textStart':
      return at === 0;
    case 'textEnd':
      return at === points.length;
    case 'lineStart':
      return at === 0 || points[at - 1] === newline;
    case 'lineEnd':
      return at === points.length || points[at] === newline;
    case 'wordBoundary':
      return isWord(points[at - 1]) !== isWord(points[at]);
    case 'insideWordOrOutside':
      return isWord(points[at - 1]) === isWord(points[at]);
  }
}

function isWord(point: number | undefined): boolean {
  return point !== undefined && perlClasses['w']!(point);
}
