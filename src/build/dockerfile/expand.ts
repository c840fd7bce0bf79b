import { EngineError, within } from '../../stdx/errors.ts';

/** What a variable's name stands for; undefined when it is unset. */
export type Lookup = (name: string) => string | undefined;

/**
 * Expands and unquotes one word as Docker does (BuildKit frontend/dockerfile/shell/lex.go):
 * `$x`, `${x}`, `${x:-y}` `${x-y}`, `${x:+y}` `${x+y}`, `${x:?e}` `${x?e}`, `${x#p}` `${x##p}` `${x%p}` `${x%%p}`,
 * `${x/p/r}` `${x//p/r}`; single quotes hide everything, in double quotes `\"`, `\$` and `\\` are escapes.
 * @throws EngineError `invalid`
 */
export function expandWord(word: string, lookup: Lookup, escapeToken = '\\'): string {
  return expansionOf(word, { lookup, escapeToken, quotes: 'dropped' }).text;
}

/** Like expandWord, and white space outside quotes (that of expanded variables too) separates words: EXPOSE. */
export function expandWords(text: string, lookup: Lookup, escapeToken = '\\'): string[] {
  return expansionOf(text, { lookup, escapeToken, quotes: 'dropped' }).words;
}

/** Expands variables and drops escapes, of whatever character; quotes are letters like others. For heredocs of COPY. */
export function expandText(text: string, lookup: Lookup): string {
  return expansionOf(text, { lookup, escapeToken: '\\', quotes: 'letters' }).text;
}

/** A command as it is shown: what is set is expanded, what is unset stays as it is written, and so do quotes. */
export function expandKnown(text: string, lookup: Lookup, escapeToken = '\\'): string {
  return expansionOf(text, { lookup, escapeToken, quotes: 'kept', keepsUnset: true }).text;
}

interface Reading {
  lookup: Lookup;
  escapeToken: string;
  /** `letters` hide nothing. */
  quotes: 'dropped' | 'kept' | 'letters';
  /** What names an unset variable stays as it is written. */
  keepsUnset?: boolean;
}

function expansionOf(text: string, reading: Reading): Expansion {
  try {
    return new Expander(text, reading).all();
  } catch (error) {
    throw within(`failed to process ${JSON.stringify(text)}`, error);
  }
}

const namePattern = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?\-$!]/y;

interface Variable {
  value: string | undefined;
  /** With what its modifier makes of it. */
  text: string;
}

interface Expansion {
  text: string;
  words: string[];
}

/** A reader that walks the word once, left to right; `until` nests for `${x:-${y}}`. */
class Expander {
  readonly #text: string;
  readonly #reading: Reading;
  #at = 0;

  constructor(text: string, reading: Reading) {
    this.#text = text;
    this.#reading = reading;
  }

  all(): Expansion {
    return this.#until('');
  }

  /**
   * Reads up to the unquoted character `stop` and past it; '' reads to the end.
   * @param escapes dropped; kept as they are; or kept as backslashes, for the pattern matcher to see.
   */
  #until(stop: string, escapes: 'drop' | 'keep' | 'pattern' = 'drop'): Expansion {
    const out = new WordList();
    const { quotes, escapeToken } = this.#reading;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (stop !== '' && char === stop) {
        this.#at++;
        return out.done();
      }
      if (char === "'" && quotes !== 'letters') out.quoted(this.#withQuotes(char, this.#singleQuoted()));
      else if (char === '"' && quotes !== 'letters') out.quoted(this.#withQuotes(char, this.#doubleQuoted()));
      else if (char === '$') out.plain(this.#dollar());
      else if (char === escapeToken) out.quoted(this.#escaped(escapes));
      else {
        out.plain(char);
        this.#at++;
      }
    }
    if (stop !== '') throw syntaxError(`missing '${stop}'`);
    return out.done();
  }

  #escaped(escapes: 'drop' | 'keep' | 'pattern'): string {
    const next = this.#text[++this.#at];
    if (next === undefined) return '';
    this.#at++;
    if (escapes === 'pattern') return `\\${next}`;
    if (escapes === 'keep') return this.#reading.escapeToken + next;
    return next;
  }

  #withQuotes(quote: string, text: string): string {
    return this.#reading.quotes === 'kept' ? quote + text + quote : text;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw openQuote('single');
    const text = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  #doubleQuoted(): string {
    const { escapeToken } = this.#reading;
    let text = '';
    this.#at++;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === '"') {
        this.#at++;
        return text;
      }
      if (char === '$') text += this.#dollar();
      else {
        this.#at++;
        const next = this.#text[this.#at];
        if (char === escapeToken && (next === '"' || next === '$' || next === escapeToken)) {
          text += next;
          this.#at++;
        } else text += char;
      }
    }
    throw openQuote('double');
  }

  #dollar(): string {
    const start = this.#at++;
    const { value, text } = this.#text[this.#at] === '{' ? this.#braced() : this.#bare();
    if (value === undefined && this.#reading.keepsUnset === true) return this.#text.slice(start, this.#at);
    return text;
  }

  #bare(): Variable {
    const name = this.#name();
    if (name === '') return { value: '', text: '$' };
    const value = this.#reading.lookup(name);
    return { value, text: value ?? '' };
  }

  #braced(): Variable {
    const first = this.#text[++this.#at];
    if (first === undefined) throw syntaxError("missing '}'");
    if (first === '{' || first === '}' || first === ':') throw syntaxError('bad substitution');
    const name = this.#name();
    const value = this.#reading.lookup(name);
    return { value, text: this.#modified(name, value) };
  }

  #modified(name: string, value: string | undefined): string {
    const operator = this.#text[this.#at++];
    switch (operator) {
      case '}':
        return value ?? '';
      case ':':
        return this.#substitute(name, value, this.#text[this.#at++], true);
      case '+':
      case '-':
      case '?':
        return this.#substitute(name, value, operator, false);
      case '#':
      case '%':
        return this.#trim(value ?? '', operator);
      case '/':
        return this.#replace(value ?? '');
      case undefined:
        throw syntaxError("missing '}'");
      default:
        throw unsupportedModifier(operator);
    }
  }

  /** A name, a number, or one of the shell's special parameters; '' when none stands here. */
  #name(): string {
    namePattern.lastIndex = this.#at;
    const name = namePattern.exec(this.#text)?.[0] ?? '';
    this.#at += name.length;
    return name;
  }

  #substitute(name: string, value: string | undefined, operator: string | undefined, emptyIsUnset: boolean) {
    if (operator !== '+' && operator !== '-' && operator !== '?') {
      if (operator === undefined) throw syntaxError("missing '}'");
      throw unsupportedModifier(`:${operator}`);
    }
    const word = this.#until('}').text;
    const isSet = value !== undefined && !(emptyIsUnset && value === '');
    if (operator === '-') return isSet ? value : word;
    if (operator === '+') return isSet ? word : '';
    if (isSet) return value;
    const reason = word !== '' ? word : `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`;
    throw new EngineError('invalid', `${name}: ${reason}`);
  }

  #trim(value: string, operator: '#' | '%'): string {
    const longest = this.#text[this.#at] === operator;
    if (longest) this.#at++;
    const pattern = this.#until('}', 'pattern').text;
    const lengths = Array.from({ length: value.length + 1 }, (_, length) => length);
    if (longest) lengths.reverse();
    for (const length of lengths) {
      const part = operator === '#' ? value.slice(0, length) : value.slice(value.length - length);
      if (!matchesShellPattern(pattern, part)) continue;
      return operator === '#' ? value.slice(length) : value.slice(0, value.length - length);
    }
    return value;
  }

  #replace(value: string): string {
    const everywhere = this.#text[this.#at] === '/';
    if (everywhere) this.#at++;
    const pattern = this.#until('/', 'pattern').text;
    // Like BuildKit, and unlike shells, what is put in keeps its escapes.
    const replacement = this.#until('}', 'keep').text;
    if (pattern === '') return value;
    let result = '';
    for (let at = 0; at < value.length; ) {
      const length = longestMatch(pattern, value, at);
      if (length <= 0) {
        result += value[at++];
        continue;
      }
      result += replacement;
      at += length;
      if (!everywhere) return result + value.slice(at);
    }
    return result;
  }
}

/** Text, and the same cut into words at unquoted white space. */
class WordList {
  readonly #words: string[] = [];
  #text = '';
  #word: string | undefined;

  quoted(text: string): void {
    this.#text += text;
    this.#word = (this.#word ?? '') + text;
  }

  plain(text: string): void {
    this.#text += text;
    for (const char of text) {
      if (!/\s/.test(char)) this.#word = (this.#word ?? '') + char;
      else this.#endWord();
    }
  }

  done(): Expansion {
    this.#endWord();
    return { text: this.#text, words: this.#words };
  }

  #endWord(): void {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
  }
}

function longestMatch(pattern: string, value: string, at: number): number {
  for (let length = value.length - at; length > 0; length--) {
    if (matchesShellPattern(pattern, value.slice(at, at + length))) return length;
  }
  return 0;
}

/** `*` and `?`, with `\` to hide them. Steps back to the last star only, so it stays quadratic at worst. */
function matchesShellPattern(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  let p = 0;
  while (at < text.length) {
    const escaped = pattern[p] === '\\' && p + 1 < pattern.length;
    const wanted = escaped ? pattern[p + 1] : pattern[p];
    if (!escaped && wanted === '*') {
      star = p++;
      retry = at;
    } else if (wanted !== undefined && ((!escaped && wanted === '?') || wanted === text[at])) {
      p += escaped ? 2 : 1;
      at++;
    } else if (star >= 0) {
      p = star + 1;
      at = ++retry;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p >= pattern.length;
}

function unsupportedModifier(modifier: string): EngineError {
  return new EngineError('invalid', `unsupported modifier (${modifier}) in substitution`);
}

function syntaxError(what: string): EngineError {
  return new EngineError('invalid', `syntax error: ${what}`);
}

function openQuote(kind: string): EngineError {
  return new EngineError('invalid', `unexpected end of statement while looking for matching ${kind}-quote`);
}
