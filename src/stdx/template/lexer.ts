export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'keyword'
  | 'string'
  | 'number'
  | 'character'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'leftParen'
  | 'rightParen'
  | 'other'
  | 'space'
  | 'error'
  | 'end';

export interface Token {
  kind: TokenKind;
  /** As written; of an error, what is wrong. */
  text: string;
  /** Offset in the template. */
  at: number;
}

const keywords = new Set('. block break continue define else end if nil range template with'.split(' '));
const spaces = /[ \t\r\n]+/y;
const name = /[\p{L}\p{Nd}_]*/uy;
const alphanumeric = /[\p{L}\p{Nd}_]/u;
const string = /"(?:[^"\\\n]|\\[^\n])*"/y;
const rawString = /`[^`]*`/y;
const character = /'(?:[^'\\\n]|\\[^\n])*'/y;
const unsigned =
  /(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[bB][01_]*(?:\.[01_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)i?/y;

/**
 * The words of a Go template. What cannot be read is a token of kind `error`, the last one: whoever reads the tokens may
 * find another fault before it, and that one is told.
 */
export function lex(source: string): Token[] {
  return new Lexer(source).tokens;
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly #source: string;
  #at = 0;
  #failed = false;

  constructor(source: string) {
    this.#source = source;
    let trims = false;
    while (!this.#failed) {
      const open = source.indexOf('{{', this.#at);
      const trimsLeft = open !== -1 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
      this.#text(open === -1 ? source.length : open, trims, trimsLeft);
      if (open === -1) break;
      this.#at = open + (trimsLeft ? 3 : 2);
      trims = source.startsWith('/*', this.#at + (trimsLeft ? 1 : 0)) ? this.#comment() : this.#action(open);
    }
    if (!this.#failed) this.#add('end', '', source.length);
  }

  #add(kind: TokenKind, text: string, at: number): void {
    this.tokens.push({ kind, text, at });
  }

  #fail(message: string, at: number = this.#at): false {
    this.#failed = true;
    this.#add('error', message, at);
    return false;
  }

  #text(stop: number, trimsStart: boolean, trimsEnd: boolean): void {
    let text = this.#source.slice(this.#at, stop);
    if (trimsStart) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsEnd) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') this.#add('text', text, this.#at);
  }

  /** @returns whether white space behind it goes */
  #comment(): boolean {
    const end = this.#source.indexOf('*/', this.#at);
    if (end === -1) return this.#fail('unclosed comment');
    const close = this.#closing(end + 2);
    if (close === undefined) return this.#fail('comment ends before closing delimiter');
    this.#at = end + 2 + close.length;
    return close.length > 2;
  }

  #closing(at: number): string | undefined {
    return /^([ \t\r\n]-)?\}\}/.exec(this.#source.slice(at, at + 4))?.[0];
  }

  #action(open: number): boolean {
    this.#add('open', '{{', open);
    for (let depth = 0; ; ) {
      const close = this.#closing(this.#at);
      if (close !== undefined) {
        if (depth > 0) return this.#fail('unclosed left paren');
        this.#add('close', '}}', this.#at);
        this.#at += close.length;
        return close.length > 2;
      }
      if (this.#at >= this.#source.length) return this.#fail('unclosed action');
      if (this.#source[this.#at] === '(') depth++;
      if (this.#source[this.#at] === ')' && --depth < 0) return this.#fail('unexpected right paren');
      if (!this.#word()) return false;
    }
  }

  /** @returns false after a fault */
  #word(): boolean {
    const first = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    const second = this.#source[this.#at + 1] ?? '';
    if (' \t\r\n'.includes(first)) return this.#spaces();
    if (first === ':') {
      return second === '=' ? this.#take('declare', 2) : this.#fail('expected :=');
    }
    if (first === '"') return this.#quoted('string', string, 'unterminated quoted string');
    if (first === '`') return this.#quoted('string', rawString, 'unterminated raw quoted string');
    if (first === "'") return this.#quoted('character', character, 'unterminated character constant');
    if (first === '$') return this.#name('variable', 1);
    if (first === '.' && !/\d/.test(second)) return this.#name('field', 1);
    if (/[+\-.\d]/.test(first)) return this.#number();
    if (alphanumeric.test(first)) return this.#name('identifier', 0);
    const kinds: Record<string, TokenKind> = {
      '=': 'assign',
      '|': 'pipe',
      '(': 'leftParen',
      ')': 'rightParen',
    };
    if (/^[\x20-\x7e]$/.test(first)) return this.#take(kinds[first] ?? 'other', 1);
    return this.#fail(`unrecognized character in action: ${unicode(first)}`);
  }

  #take(kind: TokenKind, length: number): boolean {
    this.#add(kind, this.#source.slice(this.#at, this.#at + length), this.#at);
    this.#at += length;
    return true;
  }

  /** The space of a trim marker belongs to the marker. */
  #spaces(): boolean {
    let length = match(spaces, this.#source, this.#at)!.length;
    if (this.#closing(this.#at + length - 1)?.length === 4) length--;
    return length === 0 || this.#take('space', length);
  }

  #quoted(kind: TokenKind, pattern: RegExp, fault: string): boolean {
    const text = match(pattern, this.#source, this.#at);
    return text === undefined ? this.#fail(fault) : this.#take(kind, text.length);
  }

  #name(kind: TokenKind, prefix: number): boolean {
    const length = prefix + match(name, this.#source, this.#at + prefix)!.length;
    const text = this.#source.slice(this.#at, this.#at + length);
    const next = this.#source.codePointAt(this.#at + length);
    const ends = next === undefined || ' \t\r\n.,|:)('.includes(String.fromCodePoint(next));
    if (text !== '.' && !ends && !this.#source.startsWith('}}', this.#at + length)) {
      return this.#fail(`bad character ${unicode(String.fromCodePoint(next))}`);
    }
    return this.#take(keywords.has(text) ? 'keyword' : kind, length);
  }

  #number(): boolean {
    const start = this.#at;
    const first = this.#scanNumber(start);
    let end = Math.abs(first);
    if (first > 0 && /[+-]/.test(this.#source[end] ?? '')) {
      const second = this.#scanNumber(end);
      end = second > 0 && this.#source[second - 1] === 'i' ? second : -Math.abs(second);
    } else end = first;
    if (end > 0) return this.#take('number', end - start);
    return this.#fail(`bad number syntax: ${JSON.stringify(this.#source.slice(start, -end))}`);
  }

  /** @returns where it ends; negative when a letter follows: then where that ends */
  #scanNumber(at: number): number {
    const sign = /[+-]/.test(this.#source[at]!) ? 1 : 0;
    const end = at + sign + match(unsigned, this.#source, at + sign)!.length;
    return alphanumeric.test(this.#source[end] ?? '') ? -(end + 1) : end;
  }
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Go's %#U */
export function unicode(letter: string): string {
  const code = letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return /\p{C}/u.test(letter) ? `U+${code}` : `U+${code} '${letter}'`;
}
