import type { Command, Node, Operand, Pipe } from './ast.ts';
import { FunctionError, templateFunctions, typeName } from './functions.ts';
import { parseTemplate } from './parser.ts';
import { TemplateError } from './template-error.ts';
import { byBytes, format, goType, isMap, isStruct, isTrue } from './values.ts';

export interface TemplateOptions {
  /** A key a map lacks: an error, or printed as `<no value>`. */
  missingKey?: 'error' | 'default';
  /** Objects to print as Go prints structs. */
  structs?: WeakSet<object>;
}

const functionNames = new Set([...Object.keys(templateFunctions()), 'and', 'or']);

/** A Go text/template, read once and run on many values. */
export class Template {
  readonly #source: string;
  readonly #nodes: Node[];
  readonly #options: TemplateOptions;

  /** @throws TemplateError when it cannot be read */
  constructor(source: string, options: TemplateOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#nodes = parseTemplate(source, functionNames);
  }

  /** The same template, printing these objects as structs. */
  withStructs(structs: WeakSet<object>): Template {
    return new Template(this.#source, { ...this.#options, structs });
  }

  /** @throws TemplateError */
  run(value: unknown): string {
    return new Execution(this.#source, this.#nodes, this.#options).run(value);
  }
}

class LoopControl extends Error {
  readonly kind: 'break' | 'continue';
  constructor(kind: 'break' | 'continue') {
    super(kind);
    this.kind = kind;
  }
}

class Execution {
  readonly #source: string;
  readonly #nodes: Node[];
  readonly #options: TemplateOptions;
  readonly #functions: ReturnType<typeof templateFunctions>;
  readonly #defined = new Map<string, Node[]>();
  #variables: { name: string; value: unknown }[] = [];
  #output = '';

  constructor(source: string, nodes: Node[], options: TemplateOptions) {
    this.#source = source;
    this.#nodes = nodes;
    this.#options = options;
    this.#functions = templateFunctions(options.structs);
    for (const node of nodes) if (node.kind === 'define') this.#defined.set(node.name, node.body);
  }

  run(value: unknown): string {
    this.#variables = [{ name: '$', value }];
    this.#walk(this.#nodes, value);
    return this.#output;
  }

  #walk(nodes: readonly Node[], dot: unknown): void {
    for (const node of nodes) this.#visit(node, dot);
  }

  #visit(node: Node, dot: unknown): void {
    switch (node.kind) {
      case 'text':
        this.#output += node.text;
        return;
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#output += this.#printed(value);
        return;
      }
      case 'if':
      case 'with':
        this.#scoped(() => {
          const value = this.#pipe(node.pipe, dot);
          if (isTrue(value)) this.#walk(node.body, node.kind === 'with' ? value : dot);
          else this.#walk(node.otherwise, dot);
        });
        return;
      case 'range':
        this.#scoped(() => this.#range(node, dot));
        return;
      case 'break':
      case 'continue':
        throw new LoopControl(node.kind);
      case 'define':
        return;
      case 'template':
        this.#call(node, dot);
    }
  }

  #call(node: Extract<Node, { kind: 'template' }>, dot: unknown): void {
    const body = this.#defined.get(node.name);
    if (body === undefined)
      this.#fail({ at: node.at, text: node.name }, `template "${node.name}" not defined`);
    const value = node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot);
    const outer = this.#variables;
    this.#variables = [{ name: '$', value }];
    this.#walk(body, value);
    this.#variables = outer;
  }

  #range(node: Extract<Node, { kind: 'range' }>, dot: unknown): void {
    const entries = this.#entries(node.pipe, this.#commands(node.pipe, dot));
    if (entries.length === 0) this.#walk(node.otherwise, dot);
    for (const [key, item] of entries) {
      const stop = this.#scoped(() => {
        const { variables } = node.pipe;
        if (variables.length === 2) this.#set(node.pipe, variables[0]!, key);
        if (variables.length > 0) this.#set(node.pipe, variables.at(-1)!, item);
        return this.#iterate(node.body, item);
      });
      if (stop) return;
    }
  }

  /** @returns whether to leave the loop */
  #iterate(body: readonly Node[], item: unknown): boolean {
    try {
      this.#walk(body, item);
      return false;
    } catch (error) {
      if (error instanceof LoopControl) return error.kind === 'break';
      throw error;
    }
  }

  #entries(pipe: Pipe, value: unknown): [unknown, unknown][] {
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return value.map((item, at) => [at, item]);
    if (typeof value === 'number') return Array.from({ length: value }, (_, at) => [at, at]);
    if (isMap(value))
      return Object.keys(value)
        .sort(byBytes)
        .map(key => [key, value[key]]);
    return this.#fail({ at: pipe.at, text: pipe.text }, `range can't iterate over ${this.#printed(value)}`);
  }

  #scoped<T>(work: () => T): T {
    const depth = this.#variables.length;
    const result = work();
    this.#variables.length = depth;
    return result;
  }

  #pipe(pipe: Pipe, dot: unknown): unknown {
    const value = this.#commands(pipe, dot);
    for (const name of pipe.variables) this.#set(pipe, name, value);
    return value;
  }

  #commands(pipe: Pipe, dot: unknown): unknown {
    let value: { final: unknown } | undefined;
    for (const command of pipe.commands) value = { final: this.#command(command, dot, value) };
    return value?.final;
  }

  #set(pipe: Pipe, name: string, value: unknown): void {
    if (pipe.declares) this.#variables.push({ name, value });
    else this.#variables.findLast(variable => variable.name === name)!.value = value;
  }

  #command(command: Command, dot: unknown, piped: { final: unknown } | undefined): unknown {
    const [first, ...rest] = command.operands as [Operand, ...Operand[]];
    if (first.kind === 'function') return this.#function(first, rest, dot, piped, command.text);
    if (rest.length === 0 && piped === undefined) return this.#operand(first, dot);
    const args = () => [
      ...rest.map(operand => this.#operand(operand, dot)),
      ...(piped === undefined ? [] : [piped.final]),
    ];
    if (first.kind === 'field') return this.#fields(first, dot, first.names, args());
    if (first.kind === 'variable' && first.names.length > 0) {
      return this.#fields(first, this.#variable(first.name), first.names, args());
    }
    if (first.kind === 'chain' && first.names.length > 0) {
      return this.#fields(first, this.#commands(first.pipe, dot), first.names, args());
    }
    return this.#fail(first, `can't give argument to non-function ${first.text}`);
  }

  #function(
    called: Extract<Operand, { kind: 'function' }>,
    operands: readonly Operand[],
    dot: unknown,
    piped: { final: unknown } | undefined,
    command: string,
  ): unknown {
    if (called.name === 'and' || called.name === 'or') {
      let value: unknown;
      for (const operand of operands) {
        value = this.#operand(operand, dot);
        if (isTrue(value) === (called.name === 'or')) return value;
      }
      return piped === undefined ? value : piped.final;
    }
    const args = operands.map(operand => this.#operand(operand, dot));
    if (piped !== undefined) args.push(piped.final);
    const work = this.#functions[called.name]!;
    if (args.length < work.length) {
      this.#fail(called, `wrong number of args for ${called.name}: want ${work.length} got ${args.length}`);
    }
    try {
      return work(...args);
    } catch (error) {
      if (error instanceof FunctionError) this.#fail({ at: called.at, text: command }, error.message);
      throw error;
    }
  }

  #operand(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case 'field':
        return this.#fields(operand, dot, operand.names);
      case 'variable':
        return this.#fields(operand, this.#variable(operand.name), operand.names);
      case 'chain':
        return this.#fields(operand, this.#commands(operand.pipe, dot), operand.names);
      case 'function':
        return this.#function(operand, [], dot, undefined, operand.text);
      case 'literal':
        return operand.value;
      case 'nil':
        return null;
      case 'dot':
        return dot;
    }
  }

  #variable(name: string): unknown {
    return this.#variables.findLast(variable => variable.name === name)?.value;
  }

  #fields(operand: Operand, start: unknown, names: readonly string[], args: unknown[] = []): unknown {
    return names.reduce((value, name, at) => {
      return this.#field(operand, value, name, at === names.length - 1 ? args : []);
    }, start);
  }

  #field(operand: Operand, value: unknown, name: string, args: unknown[]): unknown {
    if (isStruct(value)) {
      const field = Object.hasOwn(value, name) ? value[name] : undefined;
      if (typeof field === 'function') {
        if (args.length !== field.length)
          this.#fail(operand, `wrong number of args for ${name}: want ${field.length} got ${args.length}`);
        return field.apply(value, args);
      }
      if (field !== undefined || Object.hasOwn(value, name)) return field;
      return this.#fail(operand, `can't evaluate field ${name} in type ${value[goType]}`);
    }
    if (args.length > 0) this.#fail(operand, `${name} has arguments but cannot be invoked as function`);
    if (isMap(value)) {
      if (Object.hasOwn(value, name)) return value[name];
      if (this.#options.missingKey === 'error') this.#fail(operand, `map has no entry for key "${name}"`);
      return undefined;
    }
    if (value === null || value === undefined)
      return this.#fail(operand, `nil data; no entry for key "${name}"`);
    return this.#fail(operand, `can't evaluate field ${name} in type ${typeName(value)}`);
  }

  #printed(value: unknown): string {
    // null stands for a typed nil, as fields of Go's structs have; undefined for a missing key.
    if (value === undefined) return '<no value>';
    return typeof value === 'string' ? value : format(value, this.#options.structs);
  }

  #fail(where: { at: number; text: string }, message: string): never {
    throw new TemplateError(this.#source, where.at, message, where.text);
  }
}
