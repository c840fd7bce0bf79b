import type { Command, Node, Operand, Pipe } from './ast.ts';
import { lex, type Token } from './lexer.ts';
import { parseNumber } from './numbers.ts';
import { unquote } from './quoting.ts';
import { TemplateError } from './template-error.ts';

/** A template once read: its own text, and what it defines by name. */
export interface ParsedTemplate {
  nodes: Node[];
  defined: Map<string, Node[]>;
}

/**
 * Reads a Go text/template.
 * @param functions names that may be called
 * @throws TemplateError in Go's words
 */
export function parseTemplate(source: string, functions: ReadonlySet<string>, name = ''): ParsedTemplate {
  return new Parser(source, functions, name).parse();
}

type Ending = '{{end}}' | '{{else}}';

class Parser {
  readonly #source: string;
  readonly #name: string;
  readonly #tokens: Token[];
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, Node[]>();
  /** Variables in scope: a name may be used only where it was declared. */
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #at = 0;
  /** The furthest token looked at: errors tell its line. */
  #seen = 0;
  #actionAt = 0;

  constructor(source: string, functions: ReadonlySet<string>, name: string) {
    this.#source = source;
    this.#name = name;
    this.#functions = functions;
    this.#tokens = lex(source);
  }

  parse(): ParsedTemplate {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end') {
      if (this.#startsDefinition()) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (typeof node === 'string') this.#fail(`unexpected ${node}`);
      nodes.push(node);
    }
    return { nodes, defined: this.#defined };
  }

  #startsDefinition(): boolean {
    if (this.#peek().kind !== 'open') return false;
    const start = this.#at;
    this.#actionAt = this.#next().at;
    if (this.#nextWord().text === 'define') return true;
    this.#at = start;
    return false;
  }

  #definition(): void {
    const outer = this.#variables;
    const outerDepth = this.#rangeDepth;
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const name = this.#templateName('define clause');
    this.#expectClose('define clause');
    const { nodes, ending } = this.#list();
    if (ending !== '{{end}}') this.#fail(`unexpected ${ending} in define clause`);
    this.#variables = outer;
    this.#rangeDepth = outerDepth;
    this.#define(name, nodes);
  }

  /** Only what holds nothing but white space may be defined once more. */
  #define(name: string, nodes: Node[]): void {
    const isEmpty = (some: Node[]) => some.every(node => node.kind === 'text' && node.text.trim() === '');
    const before = this.#defined.get(name);
    if (before !== undefined && !isEmpty(before)) {
      if (!isEmpty(nodes)) this.#fail(`template: multiple definition of template ${JSON.stringify(name)}`);
      return;
    }
    this.#defined.set(name, nodes);
  }

  /** Nodes up to `{{end}}` or `{{else`, which is taken. */
  #list(): { nodes: Node[]; ending: Ending } {
    const nodes: Node[] = [];
    while (this.#peekWord().kind !== 'end') {
      const node = this.#textOrAction();
      if (typeof node === 'string') return { nodes, ending: node };
      nodes.push(node);
    }
    return this.#fail('unexpected EOF');
  }

  #textOrAction(): Node | Ending {
    const token = this.#nextWord();
    if (token.kind === 'text') return { kind: 'text', text: token.text };
    if (token.kind !== 'open') this.#unexpected(token, 'input');
    this.#actionAt = token.at;
    const node = this.#action();
    this.#actionAt = this.#source.length;
    return node;
  }

  #action(): Node | Ending {
    this.#peekWord();
    const start = this.#at;
    const { text, at, kind } = this.#next();
    switch (kind === 'keyword' ? text : '') {
      case 'if':
      case 'with':
      case 'range':
        return this.#control(text as 'if' | 'with' | 'range', at);
      case 'else': {
        const after = this.#peekWord();
        if (after.kind !== 'keyword' || (after.text !== 'if' && after.text !== 'with'))
          this.#expectClose('else');
        return '{{else}}';
      }
      case 'end':
        this.#expectClose('end');
        return '{{end}}';
      case 'break':
      case 'continue':
        this.#expectClose(`{{${text}}}`);
        if (this.#rangeDepth === 0) this.#fail(`{{${text}}} outside {{range}}`);
        return { kind: text as 'break' | 'continue' };
      case 'block':
        return this.#block();
      case 'template':
        return this.#call();
    }
    this.#at = start;
    return { kind: 'action', at, pipe: this.#pipe('command', 'close') };
  }

  #control(kind: 'if' | 'with' | 'range', at: number): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, 'close');
    if (kind === 'range') this.#rangeDepth++;
    const { nodes: body, ending } = this.#list();
    if (kind === 'range') this.#rangeDepth--;
    const otherwise = ending === '{{else}}' ? this.#otherwise(kind) : [];
    this.#variables.length = scope;
    return { kind, at, pipe, body, otherwise };
  }

  /** After `{{else`: ` if ...}}` belongs to an if, ` with ...}}` to a with. */
  #otherwise(kind: 'if' | 'with' | 'range'): Node[] {
    const token = this.#peekWord();
    if (token.kind === 'keyword' && token.text === kind && kind !== 'range') {
      this.#next();
      return [this.#control(kind, token.at)];
    }
    const { nodes, ending } = this.#list();
    if (ending !== '{{end}}') this.#fail(`expected end; found ${ending}`);
    return nodes;
  }

  #block(): Node {
    const at = this.#peekWord().at;
    const name = this.#templateName('block clause');
    const pipe = this.#pipe('block clause', 'close');
    const outer = this.#variables;
    const outerDepth = this.#rangeDepth;
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const { nodes, ending } = this.#list();
    if (ending !== '{{end}}') this.#fail(`unexpected ${ending} in block clause`);
    this.#variables = outer;
    this.#rangeDepth = outerDepth;
    this.#define(name, nodes);
    return { kind: 'template', name, pipe, at };
  }

  #call(): Node {
    const at = this.#peekWord().at;
    const name = this.#templateName('template clause');
    if (this.#peekWord().kind === 'close') {
      this.#next();
      return { kind: 'template', name, at };
    }
    return { kind: 'template', name, pipe: this.#pipe('template clause', 'close'), at };
  }

  #templateName(context: string): string {
    const token = this.#nextWord();
    if (token.kind !== 'string') this.#unexpected(token, context);
    return this.#unquoted(token.text);
  }

  #pipe(context: string, end: 'close' | 'rightParen'): Pipe {
    const at = this.#peekWord().at;
    const { variables, declares } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#peekWord();
      if (token.kind === end) {
        this.#next();
        this.#check(commands, context);
        return { kind: 'pipe', variables, declares, commands, at };
      }
      const begins = ['field', 'variable', 'identifier', 'string', 'number', 'character', 'leftParen'];
      if (!begins.includes(token.kind) && !(token.kind === 'keyword' && ['.', 'nil'].includes(token.text))) {
        this.#unexpected(this.#nextWord(), context);
      }
      commands.push(this.#command());
    }
  }

  #check(commands: readonly Command[], context: string): void {
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    commands.slice(1).forEach((command, at) => {
      if (['boolean', 'dot', 'nil', 'number', 'string'].includes(command.operands[0]!.kind)) {
        this.#fail(`non executable command in pipeline stage ${at + 2}`);
      }
    });
  }

  #declaration(context: string): { variables: string[]; declares: boolean } {
    const variables: string[] = [];
    for (;;) {
      const start = this.#at;
      const token = this.#peekWord();
      if (token.kind !== 'variable') return { variables, declares: true };
      this.#nextWord();
      const after = this.#peekWord();
      if (after.kind !== 'declare' && after.kind !== 'assign' && after.text !== ',') {
        this.#at = start;
        return { variables, declares: true };
      }
      this.#next();
      variables.push(token.text);
      this.#variables.push(token.text);
      if (after.kind !== 'other') return { variables, declares: after.kind === 'declare' };
      if (context !== 'range' || variables.length > 1) this.#fail(`too many declarations in ${context}`);
      if (!['variable', 'close', 'rightParen'].includes(this.#peekWord().kind)) {
        this.#fail('range can only initialize variables');
      }
    }
  }

  #command(): Command {
    const at = this.#peekWord().at;
    const operands: Operand[] = [];
    for (;;) {
      this.#peekWord();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#next();
      if (token.kind === 'space') continue;
      if (token.kind === 'close' || token.kind === 'rightParen') this.#at--;
      else if (token.kind !== 'pipe') this.#unexpected(token, 'operand');
      break;
    }
    if (operands.length === 0) this.#fail('empty command');
    return { kind: 'command', operands, at };
  }

  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== 'field') return term;
    // Errors about a chain point at its first further field.
    const { at } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#next().text.slice(1));
    switch (term.kind) {
      case 'field':
        return { kind: 'field', at, names: [...term.names, ...names] };
      case 'variable':
        return { kind: 'variable', at, name: term.name, names };
      case 'boolean':
      case 'string':
      case 'number':
        return this.#fail(`unexpected . after term ${JSON.stringify(this.#source.slice(term.at, at))}`);
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${term.kind === 'nil' ? '"nil"' : '"."'}`);
      default:
        return { kind: 'chain', at, of: term, names };
    }
  }

  #term(): Operand | undefined {
    this.#peekWord();
    const start = this.#at;
    const token = this.#next();
    const { text, at } = token;
    switch (token.kind) {
      case 'identifier':
        if (text === 'true' || text === 'false') return { kind: 'boolean', at, value: text === 'true' };
        if (!this.#functions.has(text)) this.#fail(`function ${JSON.stringify(text)} not defined`);
        return { kind: 'function', at, name: text };
      case 'keyword':
        if (text === '.') return { kind: 'dot', at };
        if (text === 'nil') return { kind: 'nil', at };
        break;
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${JSON.stringify(text)}`);
        return { kind: 'variable', at, name: text, names: [] };
      case 'field':
        return { kind: 'field', at, names: [text.slice(1)] };
      case 'string':
        return { kind: 'string', at, text, value: this.#unquoted(text) };
      case 'character':
        return { kind: 'number', at, text, value: { kind: 'int', value: this.#character(text) } };
      case 'number':
        try {
          return { kind: 'number', at, text, value: parseNumber(text) };
        } catch (error) {
          return this.#fail((error as Error).message);
        }
      case 'leftParen':
        return this.#pipe('parenthesized pipeline', 'rightParen');
    }
    this.#at = start;
    return undefined;
  }

  #unquoted(text: string): string {
    return unquote(text) ?? this.#fail('invalid syntax');
  }

  #character(text: string): number {
    const letters = [
      ...(unquote(`"${text.slice(1, -1).replaceAll('"', '\\"').replaceAll("\\'", "'")}"`) ?? ''),
    ];
    if (letters.length !== 1) this.#fail(`malformed character constant: ${text}`);
    return letters[0]!.codePointAt(0)!;
  }

  #expectClose(context: string): void {
    const token = this.#nextWord();
    if (token.kind !== 'close') this.#unexpected(token, context);
  }

  #peek(): Token {
    this.#seen = Math.max(this.#seen, this.#at);
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (this.#at < this.#tokens.length - 1) this.#at++;
    return token;
  }

  /** The next token that is no white space, not taken; the space before it is. */
  #peekWord(): Token {
    while (this.#peek().kind === 'space') this.#next();
    return this.#peek();
  }

  #nextWord(): Token {
    this.#peekWord();
    return this.#next();
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind === 'error') {
      const line = lineOf(this.#source, this.#actionAt);
      const started =
        line === lineOf(this.#source, token.at) ? '' : ` in action started at ${this.#name}:${line}`;
      this.#fail(
        token.text + (token.text.endsWith(' action') ? started.slice(' in action'.length) : started),
      );
    }
    return this.#fail(`unexpected ${describe(token)} in ${context}`);
  }

  #fail(message: string): never {
    const { at } = this.#tokens[this.#seen]!;
    throw new TemplateError({ source: this.#source, name: this.#name, at }, message);
  }
}

function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length;
}

function describe(token: Token): string {
  if (token.kind === 'end') return 'EOF';
  if (token.kind === 'keyword') return `<${token.text}>`;
  return token.text.length > 10
    ? `${JSON.stringify(token.text.slice(0, 10))}...`
    : JSON.stringify(token.text);
}
