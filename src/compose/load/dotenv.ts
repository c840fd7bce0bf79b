import { EngineError } from '../../stdx/errors.ts';
import { type Lookup, substitute } from './substitution.ts';

/**
 * The lines of an env file: `NAME=value`, `NAME: value`, `export NAME=value`; a name alone takes its value from the
 * surroundings, when they have it. Without quotes a value ends at the end of the line or before ` #`; single quotes
 * keep everything, double quotes know escapes and variables, and both may span lines.
 * @param into receives the variables; those already there may be used in values
 * @param missing is told of variables in values that are not set
 * @throws EngineError invalid, with the line
 */
export function parseDotenv(
  text: string,
  into: Map<string, string>,
  lookup: Lookup,
  missing: (name: string) => void = () => {},
): void {
  new Reader(text.replace(/^\uFEFF/, ''), into, lookup, missing).read();
}

class Reader {
  readonly #text: string;
  readonly #into: Map<string, string>;
  readonly #lookup: Lookup;
  readonly #missing: (name: string) => void;
  #at = 0;

  constructor(text: string, into: Map<string, string>, lookup: Lookup, missing: (name: string) => void) {
    this.#missing = missing;
    this.#text = text;
    this.#into = into;
    this.#lookup = name => lookup(name) ?? into.get(name);
  }

  read(): void {
    for (;;) {
      this.#skip(/(?:\s+|#[^\n]*)*/y);
      if (this.#at >= this.#text.length) return;
      this.#skip(/export[^\S\n]+/y);
      const line = this.#line();
      const name = this.#name(line);
      const next = this.#text[this.#at];
      if (next !== '=' && next !== ':') {
        const inherited = this.#lookup(name);
        if (inherited !== undefined) this.#into.set(name, inherited);
        continue;
      }
      this.#at++;
      this.#skip(/[^\S\n]*/y);
      this.#into.set(name, this.#value(line));
    }
  }

  #name(line: number): string {
    const start = this.#at;
    this.#skip(/[\p{L}\p{N}_.\-[\]]*/uy);
    const name = this.#text.slice(start, this.#at);
    this.#skip(/[^\S\n]*/y);
    const next = this.#text[this.#at];
    if (next === undefined || next === '\n' || next === '=' || next === ':') {
      if (name !== '') return name;
      throw new EngineError('invalid', `line ${line}: a variable has no name`);
    }
    const rest = this.#text.slice(start).split('\n', 1)[0]!;
    if (/[\p{L}\p{N}_]/u.test(next))
      throw new EngineError('invalid', `line ${line}: key cannot contain a space`);
    throw new EngineError(
      'invalid',
      `line ${line}: unexpected character ${JSON.stringify(next)} in variable name ${JSON.stringify(rest)}`,
    );
  }

  #value(line: number): string {
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") {
      const [raw] = this.#text.slice(this.#at).split('\n', 1);
      this.#at += raw!.length;
      return this.#expand(raw!.replace(/ #.*$/, '').trimEnd(), line);
    }
    const pattern = quote === '"' ? /"((?:[^"\\]|\\[\s\S])*)"/y : /'((?:[^'\\]|\\[\s\S])*)'/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) {
      const rest = this.#text.slice(this.#at).split('\n', 1)[0]!;
      throw new EngineError('invalid', `line ${line}: unterminated quoted value ${rest}`);
    }
    this.#at = pattern.lastIndex;
    if (quote === "'") return match[1]!.replaceAll("\\'", "'");
    return this.#expand(withoutEscapes(match[1]!), line);
  }

  #expand(value: string, line: number): string {
    const result = substitute(value, this.#lookup, this.#missing);
    if ('text' in result) return result.text;
    const reason = result.fault === 'format' ? `invalid template: ${JSON.stringify(value)}` : result.message;
    throw new EngineError('invalid', `line ${line}: ${reason}`);
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    if (pattern.test(this.#text)) this.#at = pattern.lastIndex;
  }

  #line(): number {
    return this.#text.slice(0, this.#at).split('\n').length;
  }
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  c: '\\c',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
  // A dollar sign that starts no variable.
  $: '$$',
};

function withoutEscapes(text: string): string {
  return text.replace(/\\(0[0-7]{0,3}|[\s\S])/g, (whole, code: string) =>
    code.startsWith('0') ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? whole),
  );
}
