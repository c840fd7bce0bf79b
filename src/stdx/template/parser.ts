import type { Command, Node, Operand, Pipe } from './ast.ts';
import { lex, type Token, type TokenKind } from './lexer.ts';
import { TemplateError } from './template-error.ts';

/**
 * Reads a Go text/template.
 * @param functions names that may be called
 * @throws TemplateError
 */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Node[] {
  return new Parser(source, functions).parse();
}

const keywords = new Set([
  'if',
  'else',
  'end',
  'range',
  'with',
  'define',
  'block',
  'template',
  'break',
  'continue',
]);

class Parser {
  readonly #source: string;
  readonly #tokens: Token[];
  readonly #functions: ReadonlySet<string>;
  /** Variables in scope: a name may be used only where it was declared. */
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #at = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#tokens = lex(source);
  }

  parse(): Node[] {
    const { nodes, ended } = this.#list();
    if (ended !== undefined) this.#fail(`unexpected {{${ended}}}`);
    return nodes;
  }

  /** Nodes up to `{{end}}`, `{{else}}` or the end of the text; whichever it was has been taken but for else's rest. */
  #list(): { nodes: Node[]; ended?: 'end' | 'else' } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === 'end') return { nodes };
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#skipSpace();
      const keyword = this.#peek().kind === 'identifier' ? this.#peek().text : '';
      if (keyword === 'end' || keyword === 'else') {
        this.#next();
        if (keyword === 'end') this.#expectClose('end');
        return { nodes, ended: keyword };
      }
      nodes.push(...this.#action(keyword));
    }
  }

  #action(keyword: string): Node[] {
    if (keywords.has(keyword)) this.#next();
    switch (keyword) {
      case 'if':
      case 'with':
      case 'range':
        return [this.#control(keyword)];
      case 'break':
      case 'continue':
        if (this.#rangeDepth === 0) this.#fail(`{{${keyword}}} outside {{range}}`);
        this.#expectClose(keyword);
        return [{ kind: keyword }];
      case 'define':
        return [this.#define()];
      case 'block': {
        const at = this.#peek().at;
        const name = this.#name('block');
        const pipe = this.#pipe('block', 'close');
        const { nodes } = this.#body('block');
        return [
          { kind: 'define', name, body: nodes },
          { kind: 'template', name, pipe, at },
        ];
      }
      case 'template': {
        const at = this.#peek().at;
        const name = this.#name('template');
        this.#skipSpace();
        const pipe = this.#peek().kind === 'close' ? undefined : this.#pipe('template', 'close');
        if (pipe === undefined) this.#next();
        return [{ kind: 'template', name, pipe, at }];
      }
      default: {
        const pipe = this.#pipe('command', 'close');
        return [{ kind: 'action', pipe }];
      }
    }
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, 'close');
    if (kind === 'range') this.#rangeDepth++;
    const { nodes: body, ended } = this.#body(kind);
    if (kind === 'range') this.#rangeDepth--;
    const otherwise = ended === 'else' ? this.#otherwise(kind) : [];
    this.#variables.length = scope;
    return { kind, pipe, body, otherwise };
  }

  /** After `{{else`: ` if ...}}`, ` with ...}}` or `}}`. */
  #otherwise(kind: string): Node[] {
    this.#skipSpace();
    const token = this.#peek();
    if (token.kind === 'identifier' && (token.text === 'if' || token.text === 'with') && kind !== 'range') {
      this.#next();
      return [this.#control(token.text)];
    }
    this.#expectClose('else');
    const { nodes, ended } = this.#body(kind);
    if (ended === 'else') this.#fail(`expected end; found {{else}}`);
    return nodes;
  }

  #body(context: string): { nodes: Node[]; ended: 'end' | 'else' } {
    const { nodes, ended } = this.#list();
    if (ended === undefined) this.#fail('unexpected EOF', this.#source.length);
    void context;
    return { nodes, ended };
  }

  #define(): Node {
    const name = this.#name('define');
    this.#expectClose('define clause');
    const outer = this.#variables;
    this.#variables = ['$'];
    const { nodes } = this.#body('define');
    this.#variables = outer;
    return { kind: 'define', name, body: nodes };
  }

  #name(context: string): string {
    this.#skipSpace();
    const token = this.#next();
    if (token.kind !== 'string') this.#unexpected(token, context);
    return unquote(token.text);
  }

  #pipe(context: string, end: TokenKind): Pipe {
    this.#skipSpace();
    const at = this.#peek().at;
    const { variables, declares } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === end) {
        this.#next();
        if (commands.length === 0) this.#fail(`missing value for ${context}`);
        if (declares) this.#variables.push(...variables);
        return { variables, declares, commands, at, text: this.#source.slice(at, token.at).trim() };
      }
      if (token.kind === 'close' || token.kind === 'end') this.#unexpected(token, context);
      commands.push(this.#command(context, end));
    }
  }

  #declaration(context: string): { variables: string[]; declares: boolean } {
    const names: string[] = [];
    const start = this.#at;
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind !== 'variable') break;
      this.#next();
      this.#skipSpace();
      names.push(token.text);
      const after = this.#peek();
      if (after.kind === 'comma' && context === 'range' && names.length < 2) {
        this.#next();
        continue;
      }
      if (after.kind === 'declare' || after.kind === 'assign') {
        this.#next();
        for (const name of after.kind === 'assign' ? names : []) this.#requireVariable(name, token.at);
        return { variables: names, declares: after.kind === 'declare' };
      }
      break;
    }
    this.#at = start;
    return { variables: [], declares: false };
  }

  #command(context: string, end: TokenKind): Command {
    const at = this.#peek().at;
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === 'pipe' || token.kind === end) {
        const text = this.#source.slice(at, token.at).trim();
        if (token.kind === 'pipe') {
          this.#next();
          if (operands.length === 0) this.#unexpected(token, context);
          this.#skipSpace();
          const next = this.#peek();
          if (next.kind === end || next.kind === 'close') this.#fail(`missing value for ${context}`);
        }
        return { operands, at, text };
      }
      operands.push(this.#operand(context));
      const after = this.#peek();
      if (!['space', 'pipe', 'rightParen', 'close'].includes(after.kind)) this.#unexpected(after, 'operand');
    }
  }

  #operand(context: string): Operand {
    const token = this.#next();
    const base = { at: token.at, text: token.text };
    switch (token.kind) {
      case 'field':
        return this.#fields(token, names => ({ kind: 'field', names: [token.text.slice(1), ...names] }));
      case 'variable':
        this.#requireVariable(token.text, token.at);
        return this.#fields(token, names => ({ kind: 'variable', name: token.text, names }));
      case 'dot':
        return { ...base, kind: 'dot' };
      case 'string':
        return { ...base, kind: 'literal', value: unquote(token.text) };
      case 'number':
        return { ...base, kind: 'literal', value: number(token.text) };
      case 'character':
        return { ...base, kind: 'literal', value: unquote(`"${token.text.slice(1, -1)}"`).codePointAt(0)! };
      case 'leftParen': {
        const pipe = this.#pipe('parenthesized pipeline', 'rightParen');
        return this.#fields(token, names => ({ kind: 'chain', pipe, names }));
      }
      case 'identifier':
        if (token.text === 'true' || token.text === 'false') {
          return { ...base, kind: 'literal', value: token.text === 'true' };
        }
        if (token.text === 'nil') return { ...base, kind: 'nil' };
        if (!this.#functions.has(token.text)) this.#fail(`function "${token.text}" not defined`, token.at);
        return { ...base, kind: 'function', name: token.text };
      default:
        return this.#unexpected(token, context);
    }
  }

  /** Takes `.A.B` behind an operand. Errors about a chain point at its first further field, as Go's do. */
  #fields<T extends object>(first: Token, make: (names: string[]) => T): T & { at: number; text: string } {
    const names: string[] = [];
    let at = first.at;
    while (this.#peek().kind === 'field') {
      const token = this.#next();
      if (names.length === 0) at = token.at;
      names.push(token.text.slice(1));
    }
    return { ...make(names), at, text: this.#source.slice(first.at, this.#peek().at) };
  }

  #requireVariable(name: string, at: number): void {
    if (!this.#variables.includes(name)) this.#fail(`undefined variable "${name}"`, at);
  }

  #expectClose(context: string): void {
    this.#skipSpace();
    const token = this.#next();
    if (token.kind !== 'close') this.#unexpected(token, context);
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#at++;
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    const token = this.#tokens[this.#at]!;
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  #unexpected(token: Token, context: string): never {
    const shown =
      token.kind === 'end' ? 'EOF' : token.kind === 'space' ? '<space>' : JSON.stringify(token.text);
    return this.#fail(`unexpected ${shown} in ${context}`, token.at);
  }

  #fail(message: string, at: number = this.#peek().at): never {
    throw new TemplateError(this.#source, at, message);
  }
}

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  const escapes: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
  return text
    .slice(1, -1)
    .replace(/\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{3}|.)/g, (_, code: string) => {
      if (/^[xuU]/.test(code) && code.length > 1)
        return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
      if (/^[0-7]{3}$/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8));
      return escapes[code] ?? code;
    });
}

function number(text: string): number | bigint {
  const plain = text.replaceAll('_', '');
  const value = Number(plain.replace(/^\+/, ''));
  return /^[+-]?\d+$/.test(plain) && !Number.isSafeInteger(value) ? BigInt(plain) : value;
}
