import { isNull, mapping, type Node, type Place, scalar, sequence } from './node.ts';
import { plainScalar } from './plain-scalar.ts';

/**
 * Reads YAML as nearly everybody writes it, in a twentieth of a YAML parser's time: mappings and lists by indentation,
 * values on one line, flow collections (`[a, b]`, `{a: b}`), texts of several lines behind a `|` or `>`, anchors, merge
 * keys, comments. Whatever else YAML has (tags, long texts without these marks, several documents), and whatever may be
 * wrong, is not for here.
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

const mostCharacters = 500_000;

/** What aliases may stand for, in characters; with all values of such a text, half of what the parser's side lets pass. */
const mostCopied = 250_000;

/** As deep as no project is; the stack holds more. */
const mostLevels = 100;

/** Without quotes first, in quotes second. */
const key = /(?:([A-Za-z_][\w./-]{0,200}|<<)|"([^"\\\n]{1,200})"):(?=[ \n]|$)/y;
const flowKey = /(?:([A-Za-z_][\w./-]{0,200}|<<):(?=[ ,}\n])|"([^"\\\n]{1,200})":)/y;
/** To the end of the line; what follows a `#` is taken off later. */
const plain = /(?:[^-?:,[\]{}#&*!|>'"%@`\s]|-(?=[^\s]))[^\n]*/y;
const flowPlain = /(?:[^-?:,[\]{}#&*!|>'"%@`\s]|-(?=[^\s,[\]{}]))[^,[\]{}\n]*/y;
/** With the escapes that JSON has as well. */
const doubleQuoted = /"(?:[^"\\\n]|\\["\\/nt])*"/y;
const singleQuoted = /'((?:[^'\n]|'')*)'/y;
const anchorMark = /&([\w-]+)(?=[ \n]|$)/y;
const alias = /\*([\w-]+)(?=[ ,\]}\n]|$)/y;
const blockHeader = /([|>])(-?)(?=[ \n]|$)/y;
const spaces = / */y;
const comment = /#[^\n]*/y;
const restOfLine = / *(?: #[^\n]*)?(?=\n|$)/y;

/** What stands behind an anchor, and how many characters it would take without aliases. */
interface Anchored {
  node: Node;
  size: number;
}

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
  /** How many brackets are open, and how far the collection that they are in is indented. */
  #brackets = 0;
  #outerIndent = 0;
  readonly #anchors = new Map<string, Anchored>();
  #copied = 0;

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
    const place = this.#place();
    const entries = new Entries();
    do this.#entry(key, entries, () => this.#value(indent));
    while (this.#indent === indent);
    if (this.#indent > indent) throw new Unusual();
    this.#level--;
    return mapping(entries.merged(), { place });
  }

  #entry(pattern: RegExp, entries: Entries, read: () => Node): void {
    const keyPlace = this.#place();
    const [, unquoted, quoted] = this.#mustSkip(pattern);
    if (unquoted === '<<') entries.merge(read());
    else if (unquoted !== undefined && typeof plainScalar(unquoted) !== 'string') throw new Unusual();
    else entries.add(unquoted ?? quoted!, { ...read(), keyPlace });
  }

  /** What a key is followed by, on its line or below it. */
  #value(indent: number): Node {
    this.#skip(spaces);
    return this.#anchored(() => {
      const place = this.#place();
      if (!this.#isAtEnd()) return this.#onLine(indent);
      this.#nextLine();
      if (this.#indent > indent) return this.#isItem() ? this.#sequence() : this.#mapping(this.#indent);
      if (this.#indent === indent && this.#isItem()) return this.#sequence();
      return scalar(null, { place });
    });
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
      items.push(key.test(this.#text) ? this.#mapping(column) : this.#anchored(() => this.#onLine(indent)));
    } while (this.#indent === indent && this.#isItem());
    if (this.#indent > indent) throw new Unusual();
    this.#level--;
    return sequence(items, { place });
  }

  /** A value and the anchor that it may have. */
  #anchored(read: () => Node): Node {
    const start = this.#at;
    const [, name] = this.#skip(anchorMark) ?? [];
    if (name === undefined) return read();
    this.#skip(spaces);
    if (this.#anchors.has(name) || this.#text[this.#at] === '*') throw new Unusual();
    const copied = this.#copied;
    const node = read();
    if (isNull(node)) throw new Unusual();
    this.#anchors.set(name, { node, size: this.#at - start + this.#copied - copied });
    return node;
  }

  /** A value that begins on this line and ends with one. @param indent of the collection that it is in */
  #onLine(indent: number): Node {
    this.#outerIndent = indent;
    const node = this.#block(indent) ?? this.#marked() ?? this.#plainOnLine();
    if (this.#skip(restOfLine) === undefined) throw new Unusual();
    this.#nextLine();
    // The text goes on.
    if (this.#indent > indent) throw new Unusual();
    return node;
  }

  /** A text on the lines below, as it is (`|`) or in one line (`>`). */
  #block(indent: number): Node | undefined {
    const place = this.#place();
    const [, style, strip] = this.#skip(blockHeader) ?? [];
    if (style === undefined) return undefined;
    if (this.#skip(restOfLine) === undefined) throw new Unusual();
    const lines = this.#blockLines(indent);
    if (style === '>' && lines.some(line => /^ |^$/.test(line))) throw new Unusual();
    return scalar(`${lines.join(style === '|' ? '\n' : ' ')}${strip === '' ? '\n' : ''}`, { place });
  }

  #blockLines(indent: number): string[] {
    const text = this.#text;
    const lines: string[] = [];
    let depth = 0;
    while (this.#end < text.length) {
      const start = this.#end + 1;
      const newline = text.indexOf('\n', start);
      const end = newline === -1 ? text.length : newline;
      const line = text.slice(start, end);
      const written = line.search(/[^ ]/);
      if (depth === 0 && written > indent) depth = written;
      // Spaces alone are text when there are more of them.
      if (written === -1 && line.length > depth) throw new Unusual();
      if (written !== -1 && (depth === 0 || written < depth)) break;
      lines.push(line.slice(depth));
      this.#line++;
      this.#end = end;
    }
    this.#at = this.#end;
    while (lines.at(-1) === '') lines.pop();
    if (lines.length === 0) throw new Unusual();
    return lines;
  }

  #plainOnLine(): Node {
    const place = this.#place();
    return this.#plain(this.#mustSkip(plain)[0], place);
  }

  /** A text without quotes, of which a comment and the spaces before it are given back. */
  #plain(found: string, place: Place): Node {
    const at = found.indexOf(' #');
    const written = trimSpaces(at === -1 ? found : found.slice(0, at));
    this.#at -= found.length - written.length;
    if (written === '' || written.includes(': ') || written.endsWith(':')) throw new Unusual();
    return scalar(plainScalar(written), { place });
  }

  /** What its first character says what it is. */
  #marked(): Node | undefined {
    const place = this.#place();
    switch (this.#text[this.#at]) {
      case '"': {
        const [quoted] = this.#mustSkip(doubleQuoted);
        return scalar(quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1), { place });
      }
      case "'":
        return scalar(this.#mustSkip(singleQuoted)[1]!.replaceAll("''", "'"), { place });
      case '[':
        return this.#flowSequence();
      case '{':
        return this.#flowMapping();
      case '*':
        return this.#alias();
      default:
        return undefined;
    }
  }

  #alias(): Node {
    const target = this.#anchors.get(this.#mustSkip(alias)[1]!);
    if (target === undefined) throw new Unusual();
    this.#copied += target.size;
    if (this.#copied > mostCopied) throw new Unusual();
    return target.node;
  }

  #flowSequence(): Node {
    const place = this.#place();
    const items: Node[] = [];
    this.#inBrackets(']', () => items.push(this.#flowValue()));
    return sequence(items, { place });
  }

  #flowMapping(): Node {
    const place = this.#place();
    const entries = new Entries();
    this.#inBrackets('}', () => this.#entry(flowKey, entries, () => this.#valueInBraces()));
    return mapping(entries.merged(), { place });
  }

  #valueInBraces(): Node {
    const line = this.#line;
    this.#skipInBrackets();
    const isEmpty = this.#text[this.#at] === ',' || this.#text[this.#at] === '}';
    if (!isEmpty) return this.#flowValue();
    if (this.#line > line) throw new Unusual();
    return scalar(null, { place: this.#place() });
  }

  #inBrackets(closing: string, readOne: () => void): void {
    this.#enter();
    this.#brackets++;
    this.#at++;
    this.#skipInBrackets();
    while (this.#text[this.#at] !== closing) {
      readOne();
      this.#skipInBrackets();
      if (this.#text[this.#at] !== ',') break;
      this.#at++;
      this.#skipInBrackets();
    }
    if (this.#text[this.#at] !== closing) throw new Unusual();
    this.#at++;
    this.#brackets--;
    this.#level--;
  }

  /** To what comes next, on this line or another one. */
  #skipInBrackets(): void {
    this.#skip(spaces);
    if (this.#text[this.#at] === '#' && this.#text[this.#at - 1] === ' ') this.#skip(comment);
    if (this.#text[this.#at] !== '\n') return;
    this.#nextLine();
    const isLast = this.#brackets === 1 && /[\]}]/.test(this.#text[this.#at] ?? '');
    if (this.#indent < this.#outerIndent + (isLast ? 0 : 1)) throw new Unusual();
  }

  #flowValue(): Node {
    const place = this.#place();
    return this.#marked() ?? this.#plain(this.#mustSkip(flowPlain)[0], place);
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

/** Of a mapping that is being read. */
class Entries {
  readonly #own = new Map<string, Node>();
  #base: readonly Node[] | undefined;

  add(name: string, node: Node): void {
    if (name === '<<' || this.#own.has(name)) throw new Unusual();
    this.#own.set(name, node);
  }

  /** What stands behind `<<`: its entries count less. */
  merge(node: Node): void {
    if (this.#base !== undefined) throw new Unusual();
    this.#base = node.kind === 'sequence' ? node.items : [node];
  }

  merged(): ReadonlyMap<string, Node> {
    for (const node of this.#base ?? []) {
      if (node.kind !== 'mapping') throw new Unusual();
      for (const [name, value] of node.entries) if (!this.#own.has(name)) this.#own.set(name, value);
    }
    return this.#own;
  }
}

/** At the end; trimEnd() takes off what is no space in YAML. */
function trimSpaces(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end--;
  return text.slice(0, end);
}
