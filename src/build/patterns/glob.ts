import { EngineError } from '../../stdx/errors.ts';

/** One element of a compiled pattern. */
type Token =
  | { type: 'literal'; char: string }
  /** `?`: one character, no slash. */
  | { type: 'any' }
  /** `*`: any run without a slash. */
  | { type: 'star' }
  /** A `**` with the slash after it: nothing, or any run of whole directories. */
  | { type: 'directories' }
  /** `**` at the end: anything at all. */
  | { type: 'rest' }
  | { type: 'class'; negated: boolean; ranges: [string, string][] };

/**
 * A pattern over slash-separated paths, with the syntax of Go's filepath.Match and, when wanted, Docker's `**`
 * (moby/patternmatcher). Matching walks all states at once, so hostile patterns cost no more than others:
 * O(pattern x path).
 */
export class Glob {
  readonly #tokens: Token[];

  /** @throws EngineError `invalid`: `syntax error in pattern`. */
  constructor(pattern: string, options: { doubleStar: boolean }) {
    this.#tokens = tokenize(pattern, options.doubleStar);
  }

  matches(path: string): boolean {
    const tokens = this.#tokens;
    let states = new Set<number>();
    this.#enter(states, 0);
    for (const [index, char] of Array.from(path).entries()) {
      const next = new Set<number>();
      for (const state of states) {
        const token = tokens[state];
        if (token === undefined) continue;
        if (token.type === 'rest' || (token.type === 'star' && char !== '/')) this.#enter(next, state);
        else if (token.type === 'directories') {
          // Stays inside the skipped run; a slash may be its end.
          next.add(state);
          if (char === '/' && index > 0) this.#enter(next, state + 1);
        } else if (token.type !== 'star' && accepts(token, char)) this.#enter(next, state + 1);
      }
      if (next.size === 0) return false;
      states = next;
    }
    return states.has(tokens.length);
  }

  /** Adds a state, and those reached from it by matching nothing. */
  #enter(states: Set<number>, state: number): void {
    states.add(state);
    const type = this.#tokens[state]?.type;
    if (type === 'star' || type === 'rest' || type === 'directories') this.#enter(states, state + 1);
  }
}

/** Whether a word has any of Go's wildcard characters. */
export function hasWildcard(pattern: string): boolean {
  return /[*?[\\]/.test(pattern);
}

function tokenize(pattern: string, doubleStar: boolean): Token[] {
  const chars = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at]!;
    if (char === '*' && doubleStar && chars[at + 1] === '*') {
      at++;
      if (chars[at + 1] === '/') at++;
      tokens.push({ type: at + 1 >= chars.length ? 'rest' : 'directories' });
    } else if (char === '*') tokens.push({ type: 'star' });
    else if (char === '?') tokens.push({ type: 'any' });
    else if (char === '[') at = readClass(chars, at, tokens);
    else if (char === '\\') {
      if (++at >= chars.length) throw badPattern();
      tokens.push({ type: 'literal', char: chars[at]! });
    } else tokens.push({ type: 'literal', char });
  }
  return tokens;
}

/** Reads `[a-z]`, `[^a-z]`; `\` hides the character after it. @returns index of the closing bracket. */
function readClass(chars: string[], open: number, tokens: Token[]): number {
  let at = open + 1;
  const negated = chars[at] === '^';
  if (negated) at++;
  const ranges: [string, string][] = [];
  const one = (): string => {
    if (chars[at] === '\\') at++;
    const char = chars[at++];
    if (char === undefined) throw badPattern();
    return char;
  };
  while (chars[at] !== ']' || ranges.length === 0) {
    if (chars[at] === undefined || chars[at] === ']' || chars[at] === '-') throw badPattern();
    const low = one();
    if (chars[at] !== '-') ranges.push([low, low]);
    else {
      at++;
      if (chars[at] === ']' || chars[at] === '-') throw badPattern();
      ranges.push([low, one()]);
    }
  }
  tokens.push({ type: 'class', negated, ranges });
  return at;
}

function accepts(token: Token, char: string): boolean {
  if (token.type === 'literal') return token.char === char;
  if (token.type === 'any') return char !== '/';
  if (token.type !== 'class' || char === '/') return false;
  const inside = token.ranges.some(([low, high]) => low <= char && char <= high);
  return inside !== token.negated;
}

function badPattern(): EngineError {
  return new EngineError('invalid', 'syntax error in pattern');
}
