import { mapping, type Node, type Place, scalar, sequence } from './node.ts';
import { plainScalar } from './plain-scalar.ts';

/**
 * Reads YAML as nearly everybody writes it, in a twentieth of a YAML parser's time: mappings and lists by indentation,
 * values and flow collections (`[a, b]`, `{a: b}`) on one line, comments. Whatever else YAML has (anchors, tags, texts of
 * several lines, several documents), and whatever may be wrong, is not for here.
 * @returns the same as the YAML parser would lead to; undefined when the text is to be given to that
 */
export function readUsualYaml(text: string, file: string): Node | undefined {
  if (text.length > mostCharacters) return undefined;
  try {
    return new UsualYaml(text, file).read();
  } catch (error) {
    if (error instanceof Unusual) return undefined;
    throw error;
  }
}

class Unusual extends Error {}

/** Half as many values as the parser's side would let pass fit in. */
const mostCharacters = 500_000;

/** As deep as no project is; the stack holds more. */
const mostLevels = 100;

const key = /([A-Za-z_][\w./-]{0,200}):(?=[ \n]|$)/y;
const flowKey = /([A-Za-z_][\w./-]{0,200}):(?=[ ,}])/y;
/** To the end of the line; what follows a `#` is taken off later. */
const plain = /(?:[^-?:,[\]{}#&*!|>'"%@`\s]|-(?=[^\s]))[^\n]*/y;
const flowPlain = /(?:[^-?:,[\]{}#&*!|>'"%@`\s]|-(?=[^\s,[\]{}]))[^,[\]{}\n]*/y;
/** Without what has to be unescaped. */
const doubleQuoted = /"([^"\\\n]*)"/y;
const singleQuoted = /'([^'\n]*)'/y;
const spaces = / */y;
const restOfLine = / *(?: #[^\n]*)?(?=\n|$)/y;

class UsualYaml {
  readonly #text: string;
  readonly #file: string;
  /** The line that is being read: where it begins and ends, and how far what is on it is indented; -1 after the last. */
  #start = 0;
  #end = -1;
  #line = 0;
  #indent = -1;
  /** Where reading goes on in it. */
  #at = 0;
  #level = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  read(): Node {
    if (/[\t\r\x85\u2028\u2029\uFEFF]/.test(this.#text)) throw new Unusual();
    this.#nextLine();
    if (this.#indent !== 0) throw new Unusual();
    // Nothing is indented less: it ends with the text.
    return this.#mapping(0);
  }

  /** The next one with something on it. */
  #nextLine(): void {
    const text = this.#text;
    for (;;) {
      this.#start = this.#end + 1;
      if (this.#start >= text.length) {
        this.#indent = -1;
        return;
      }
      this.#line++;
      const end = text.indexOf('\n', this.#start);
      this.#end = end === -1 ? text.length : end;
      this.#at = this.#start;
      this.#skip(spaces);
      if (this.#at < this.#end && text[this.#at] !== '#') {
        this.#indent = this.#at - this.#start;
        return;
      }
    }
  }

  /** From the key on this line on, which need not be the first thing on it. */
  #mapping(indent: number): Node {
    this.#enter();
    const entries = new Map<string, Node>();
    const place = this.#place();
    do {
      const keyPlace = this.#place();
      const name = this.#key(key, entries);
      entries.set(name, { ...this.#value(indent), keyPlace });
    } while (this.#indent === indent);
    if (this.#indent > indent) throw new Unusual();
    this.#level--;
    return mapping(entries, { place });
  }

  /** What a key is followed by, on its line or below it. */
  #value(indent: number): Node {
    this.#skip(spaces);
    const place = this.#place();
    if (!this.#isAtEnd()) return this.#onLine(indent);
    this.#nextLine();
    if (this.#indent > indent) return this.#isItem() ? this.#sequence() : this.#mapping(this.#indent);
    if (this.#indent === indent && this.#isItem()) return this.#sequence();
    return scalar(null, { place });
  }

  #sequence(): Node {
    this.#enter();
    const indent = this.#indent;
    const items: Node[] = [];
    const place = this.#place();
    do {
      this.#at++;
      this.#skip(spaces);
      const column = this.#at - this.#start;
      if (this.#isAtEnd() || this.#isItem()) throw new Unusual();
      key.lastIndex = this.#at;
      items.push(key.test(this.#text) ? this.#mapping(column) : this.#onLine(indent));
    } while (this.#indent === indent && this.#isItem());
    if (this.#indent > indent) throw new Unusual();
    this.#level--;
    return sequence(items, { place });
  }

  /** A value that is all that is left on this line. @param indent of the collection that it is in */
  #onLine(indent: number): Node {
    const node = this.#quotedOrFlow() ?? this.#plainOnLine();
    if (this.#skip(restOfLine) === undefined) throw new Unusual();
    this.#nextLine();
    // The text goes on.
    if (this.#indent > indent) throw new Unusual();
    return node;
  }

  #plainOnLine(): Node {
    const place = this.#place();
    const [line = ''] = this.#skip(plain) ?? [];
    const comment = line.indexOf(' #');
    const written = trimSpaces(comment === -1 ? line : line.slice(0, comment));
    this.#at -= line.length - written.length;
    return this.#plain(written, place);
  }

  #plain(written: string, place: Place): Node {
    if (written === '' || written.includes(': ') || written.endsWith(':')) throw new Unusual();
    return scalar(plainScalar(written), { place });
  }

  #quotedOrFlow(): Node | undefined {
    const place = this.#place();
    switch (this.#text[this.#at]) {
      case '"':
        return scalar(this.#mustSkip(doubleQuoted)[1]!, { place });
      case "'":
        return scalar(this.#mustSkip(singleQuoted)[1]!, { place });
      case '[':
        return this.#flowSequence();
      case '{':
        return this.#flowMapping();
      default:
        return undefined;
    }
  }

  #flowSequence(): Node {
    const place = this.#place();
    const items: Node[] = [];
    this.#inBrackets(']', () => items.push(this.#flowValue()));
    return sequence(items, { place });
  }

  #flowMapping(): Node {
    const place = this.#place();
    const entries = new Map<string, Node>();
    this.#inBrackets('}', () => {
      const keyPlace = this.#place();
      const name = this.#key(flowKey, entries);
      this.#skip(spaces);
      const isEmpty = this.#text[this.#at] === ',' || this.#text[this.#at] === '}';
      const value = isEmpty ? scalar(null, { place: this.#place() }) : this.#flowValue();
      entries.set(name, { ...value, keyPlace });
    });
    return mapping(entries, { place });
  }

  #inBrackets(closing: string, readOne: () => void): void {
    this.#enter();
    this.#at++;
    this.#skip(spaces);
    if (this.#text[this.#at] !== closing) {
      for (;;) {
        readOne();
        this.#skip(spaces);
        if (this.#text[this.#at] !== ',') break;
        this.#at++;
        this.#skip(spaces);
      }
    }
    if (this.#text[this.#at] !== closing) throw new Unusual();
    this.#at++;
    this.#level--;
  }

  #flowValue(): Node {
    const special = this.#quotedOrFlow();
    if (special !== undefined) return special;
    const place = this.#place();
    const written = trimSpaces(this.#mustSkip(flowPlain)[0]);
    if (written.includes(' #')) throw new Unusual();
    return this.#plain(written, place);
  }

  /** One that is text, and not there yet. */
  #key(pattern: RegExp, entries: ReadonlyMap<string, Node>): string {
    const name = this.#mustSkip(pattern)[1]!;
    if (typeof plainScalar(name) !== 'string' || entries.has(name)) throw new Unusual();
    return name;
  }

  #isItem(): boolean {
    const { [this.#at]: dash, [this.#at + 1]: after } = this.#text;
    return dash === '-' && (after === ' ' || after === '\n' || after === undefined);
  }

  /** Nothing but a comment follows. */
  #isAtEnd(): boolean {
    return this.#at >= this.#end || (this.#text[this.#at] === '#' && this.#text[this.#at - 1] === ' ');
  }

  #place(): Place {
    return { file: this.#file, line: this.#line, column: this.#at - this.#start + 1 };
  }

  #enter(): void {
    if (++this.#level > mostLevels) throw new Unusual();
  }

  #skip(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }

  #mustSkip(pattern: RegExp): RegExpExecArray {
    const found = this.#skip(pattern);
    if (found === undefined) throw new Unusual();
    return found;
  }
}

/** At the end; trimEnd() takes off what is no space in YAML. */
function trimSpaces(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end--;
  return text.slice(0, end);
}
