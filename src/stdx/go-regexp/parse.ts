import {
  type CodePoints,
  complement,
  foldingCase,
  perlClasses,
  posixClasses,
  range,
  single,
  unicodeClass,
  union,
} from './code-points.ts';

/** An expression as a tree. Groups capture nothing here, and lazy means the same as greedy: only whether it fits counts. */
export type Expression =
  | { kind: 'character'; has: CodePoints }
  | { kind: 'position'; at: Position }
  | { kind: 'sequence'; parts: Expression[] }
  | { kind: 'choice'; options: Expression[] }
  | { kind: 'repeat'; part: Expression; min: number; max: number };

export type Position =
  | 'textStart'
  | 'textEnd'
  | 'lineStart'
  | 'lineEnd'
  | 'wordBoundary'
  | 'insideWordOrOutside';

/** What the pattern is no expression for, as Go says it: `missing closing )`. */
export class PatternError extends Error {}

/** @throws PatternError */
export function parsePattern(pattern: string): Expression {
  return new Parser(pattern).parse();
}

interface Flags {
  ignoreCase: boolean;
  multiLine: boolean;
  dotMatchesNewline: boolean;
}

/** Go's, too: deeper ones are refused, and so is more than a thousand of anything. */
const maxDepth = 1000;
const maxRepeat = 1000;

const newline = 10;

const controlEscapes: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

/** Recursive descent over Go's syntax (regexp/syntax, with its Perl flags): choice, sequence, repetition, atom. */
class Parser {
  /** Code points, each as a string of its own. */
  readonly #text: string[];
  #at = 0;
  #depth = 0;
  #flags: Flags = { ignoreCase: false, multiLine: false, dotMatchesNewline: false };

  constructor(pattern: string) {
    this.#text = [...pattern];
  }

  parse(): Expression {
    const expression = this.#choice();
    if (this.#at < this.#text.length) throw new PatternError('unexpected )');
    return expression;
  }

  #choice(): Expression {
    if (++this.#depth > maxDepth) throw new PatternError('expression nests too deeply');
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    this.#depth--;
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#text.length && this.#peek() !== '|' && this.#peek() !== ')') {
      // A count after `\E` is for the last character alone.
      if (this.#take('\\', 'Q')) parts.push(...this.#quoted());
      else parts.push(this.#atom());
      const last = parts.pop();
      if (last !== undefined) parts.push(this.#repeated(last));
    }
    return { kind: 'sequence', parts };
  }

  #repeated(part: Expression): Expression {
    const count = this.#count();
    if (count === undefined) return part;
    this.#take('?');
    if (this.#count() !== undefined) throw new PatternError('invalid nested repetition operator');
    return { kind: 'repeat', part, ...count };
  }

  #count(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    // Braces that hold no count stand for themselves.
    const match = /^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 24).join(''));
    if (match === null) return undefined;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : Number(match[3] ?? Number.POSITIVE_INFINITY);
    if (min > maxRepeat || (max > maxRepeat && max !== Number.POSITIVE_INFINITY) || max < min) {
      throw new PatternError('invalid repeat count');
    }
    this.#at += match[0].length;
    return { min, max };
  }

  #atom(): Expression {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'character', has: this.#bracketed() };
      case '.':
        return {
          kind: 'character',
          has: this.#flags.dotMatchesNewline ? () => true : complement(single(newline)),
        };
      case '^':
        return { kind: 'position', at: this.#flags.multiLine ? 'lineStart' : 'textStart' };
      case '$':
        return { kind: 'position', at: this.#flags.multiLine ? 'lineEnd' : 'textEnd' };
      case '*':
      case '+':
      case '?':
        throw new PatternError('missing argument to repetition operator');
      case '\\':
        return this.#escape();
      default:
        return this.#characters(single(character.codePointAt(0)!));
    }
  }

  #group(): Expression {
    // `(?i)` holds until the end of the group it stands in.
    const outside = this.#flags;
    if (this.#take('?')) {
      if (this.#take('P', '<') || this.#take('<')) this.#skipName();
      else if (this.#readFlags()) return { kind: 'sequence', parts: [] };
    }
    const inside = this.#choice();
    this.#flags = outside;
    if (!this.#take(')')) throw new PatternError('missing closing )');
    return inside;
  }

  #skipName(): void {
    const end = this.#text.indexOf('>', this.#at);
    const name = this.#text.slice(this.#at, end).join('');
    if (end === -1 || !/^\w+$/.test(name)) throw new PatternError('invalid named capture');
    this.#at = end + 1;
  }

  /** After `(?`. @returns true when it was `(?i)`, without a group of its own */
  #readFlags(): boolean {
    const flags = { ...this.#flags };
    let on = true;
    for (;;) {
      const character = this.#next('missing closing )');
      if (character === 'i') flags.ignoreCase = on;
      else if (character === 'm') flags.multiLine = on;
      else if (character === 's') flags.dotMatchesNewline = on;
      else if (character === '-' && on) on = false;
      else if (character === ':' || character === ')') {
        this.#flags = flags;
        return character === ')';
      } else if (character !== 'U') throw new PatternError('invalid or unsupported Perl syntax');
    }
  }

  #quoted(): Expression[] {
    const parts: Expression[] = [];
    while (this.#at < this.#text.length && !this.#take('\\', 'E')) {
      parts.push(this.#characters(single(this.#next().codePointAt(0)!)));
    }
    return parts;
  }

  #escape(): Expression {
    const positions: Readonly<Record<string, Position>> = {
      A: 'textStart',
      z: 'textEnd',
      b: 'wordBoundary',
      B: 'insideWordOrOutside',
    };
    const at = positions[this.#peek() ?? ''];
    if (at === undefined) return this.#characters(this.#escapedSet());
    this.#at++;
    return { kind: 'position', at };
  }

  /** After a backslash, within brackets or without. */
  #escapedSet(): CodePoints {
    const letter = this.#peek() ?? '';
    const perl = perlClasses[letter.toLowerCase()];
    if (perl !== undefined) {
      this.#at++;
      return letter === letter.toLowerCase() ? perl : complement(perl);
    }
    if (letter === 'p' || letter === 'P') return this.#unicodeSet();
    return single(this.#escapedCharacter());
  }

  #unicodeSet(): CodePoints {
    let negative = this.#next() === 'P';
    let name = this.#next('invalid character class range');
    if (name === '{') {
      const end = this.#text.indexOf('}', this.#at);
      if (end === -1) throw new PatternError('invalid character class range');
      name = this.#text.slice(this.#at, end).join('');
      this.#at = end + 1;
    }
    if (name.startsWith('^')) negative = !negative;
    const found = unicodeClass(name.replace(/^\^/, ''));
    if (found === undefined) throw new PatternError('invalid character class range');
    return negative ? complement(found) : found;
  }

  #escapedCharacter(): number {
    const character = this.#next('trailing backslash at end of expression');
    const control = controlEscapes[character];
    if (control !== undefined) return control;
    if (character === 'x') return this.#hexadecimal();
    if (/[0-7]/.test(character)) {
      // One digit alone would be a reference to a group, which no such expression has.
      const octal = /^[0-7]{0,2}/.exec(this.#text.slice(this.#at, this.#at + 2).join(''))![0];
      if (character !== '0' && octal === '') throw new PatternError('invalid escape sequence');
      this.#at += octal.length;
      return Number.parseInt(character + octal, 8);
    }
    if (character.codePointAt(0)! < 0x80 && !/[0-9A-Za-z]/.test(character)) return character.codePointAt(0)!;
    throw new PatternError('invalid escape sequence');
  }

  #hexadecimal(): number {
    const rest = this.#text.slice(this.#at, this.#at + 10).join('');
    const match = /^(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))/.exec(rest);
    const value = Number.parseInt(match?.[1] ?? match?.[2] ?? '', 16);
    if (match === null || value > 0x10ffff) throw new PatternError('invalid escape sequence');
    this.#at += match[0].length;
    return value;
  }

  /** After `[`. A `]` that comes first, and a `-` that makes no range, stand for themselves. */
  #bracketed(): CodePoints {
    const negative = this.#take('^');
    const sets: CodePoints[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.#peek() === undefined) throw new PatternError('missing closing ]');
      sets.push(this.#posixSet() ?? this.#member());
    }
    this.#at++;
    const all = this.#flags.ignoreCase ? foldingCase(union(sets)) : union(sets);
    return negative ? complement(all) : all;
  }

  #posixSet(): CodePoints | undefined {
    const match = /^\[:(\^?)(\w+):\]/.exec(this.#text.slice(this.#at, this.#at + 12).join(''));
    if (match === null) return undefined;
    const found = posixClasses[match[2]!];
    if (found === undefined) throw new PatternError('invalid character class range');
    this.#at += match[0].length;
    return match[1] === '^' ? complement(found) : found;
  }

  #member(): CodePoints {
    const isClass = this.#peek() === '\\' && /[dswpDSWP]/.test(this.#text[this.#at + 1] ?? '');
    if (isClass) {
      this.#at++;
      return this.#escapedSet();
    }
    const first = this.#bound();
    if (this.#peek() !== '-' || (this.#text[this.#at + 1] ?? ']') === ']') return single(first);
    this.#at++;
    const last = this.#bound();
    if (last < first) throw new PatternError('invalid character class range');
    return range(first, last);
  }

  #bound(): number {
    const character = this.#next('missing closing ]');
    return character === '\\' ? this.#escapedCharacter() : character.codePointAt(0)!;
  }

  #characters(has: CodePoints): Expression {
    return { kind: 'character', has: this.#flags.ignoreCase ? foldingCase(has) : has };
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #next(otherwise = 'unexpected end of expression'): string {
    const character = this.#text[this.#at++];
    if (character === undefined) throw new PatternError(otherwise);
    return character;
  }

  /** Takes the characters when all of them are next. */
  #take(...characters: string[]): boolean {
    if (!characters.every((character, index) => this.#text[this.#at + index] === character)) return false;
    this.#at += characters.length;
    return true;
  }
}
