import { type Command, type Node, type Operand, type Pipe, shown } from './ast.ts';
import { FunctionError } from './compare.ts';
import { type Parameter, type TemplateFunction, templateFunctions } from './functions.ts';
import { type ParsedTemplate, parseTemplate } from './parser.ts';
import { format } from './print.ts';
import { TemplateError } from './template-error.ts';
import {
  bare,
  complex128,
  entriesOf,
  entryOf,
  float64,
  goType,
  isNil,
  isStruct,
  isTrue,
  itemsOf,
  keyValue,
  kindOf,
  Typed,
  typeName,
} from './values.ts';

export interface TemplateOptions {
  /** A key a map lacks: an error, or printed as `<no value>`. */
  missingKey?: 'error' | 'default';
  functions?: Readonly<Record<string, TemplateFunction>>;
}

const functionNames = new Set(Object.keys(templateFunctions));

/** A Go text/template, read once and run on many values. */
export class Template {
  readonly #source: string;
  readonly #name: string;
  readonly #parsed: ParsedTemplate;

  /**
   * @param name what errors call it
   * @throws TemplateError when it cannot be read
   */
  constructor(source: string, name = '') {
    this.#source = source;
    this.#name = name;
    this.#parsed = parseTemplate(source, functionNames, name);
  }

  /** @throws TemplateError */
  run(value: unknown, options: TemplateOptions = {}): string {
    return new Execution({ source: this.#source, name: this.#name }, this.#parsed, options).run(value);
  }
}

class LoopControl extends Error {
  readonly kind: 'break' | 'continue';
  constructor(kind: 'break' | 'continue') {
    super(kind);
    this.kind = kind;
  }
}

/** What is piped into a command; undefined when nothing is. */
type Piped = { value: unknown } | undefined;

class Execution {
  readonly #origin: { source: string; name: string };
  readonly #parsed: ParsedTemplate;
  readonly #failsWithoutKey: boolean;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;
  #variables: { name: string; value: unknown }[] = [];
  #output = '';
  /** The template being run. */
  #name: string;
  /** What errors point to: the part last entered, as in Go. */
  #where: { at: number; text: () => string } = { at: 0, text: () => '' };

  constructor(
    origin: { source: string; name: string },
    parsed: ParsedTemplate,
    { missingKey, functions }: TemplateOptions,
  ) {
    this.#origin = origin;
    this.#name = origin.name;
    this.#parsed = parsed;
    this.#failsWithoutKey = missingKey === 'error';
    this.#functions = functions ?? templateFunctions;
  }

  run(value: unknown): string {
    this.#variables = [{ name: '$', value }];
    this.#walk(this.#parsed.nodes, value);
    return this.#output;
  }

  #enter(node: Operand | Command | Extract<Node, { kind: 'template' }>): void {
    this.#where = { at: node.at, text: () => shown(node) };
  }

  #fail(message: string): never {
    throw new TemplateError({ ...this.#origin, at: this.#where.at }, message, {
      template: this.#name,
      part: this.#where.text(),
      output: this.#output,
    });
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
        if (node.pipe.variables.length === 0)
          this.#output += value === undefined ? '<no value>' : format(value);
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
      case 'template':
        this.#call(node, dot);
    }
  }

  #call(node: Extract<Node, { kind: 'template' }>, dot: unknown): void {
    this.#enter(node);
    const body = this.#parsed.defined.get(node.name);
    if (body === undefined) this.#fail(`template ${JSON.stringify(node.name)} not defined`);
    const value = node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot);
    const outer = { variables: this.#variables, name: this.#name };
    this.#variables = [{ name: '$', value }];
    this.#name = node.name;
    this.#depth++;
    if (this.#depth > deepest) this.#fail('exceeded maximum template depth (100000)');
    this.#walk(body, value);
    this.#depth--;
    this.#variables = outer.variables;
    this.#name = outer.name;
  }

  #depth = 0;

  #range(node: Extract<Node, { pipe: Pipe; body: Node[] }>, dot: unknown): void {
    const { variables, declares } = node.pipe;
    const entries = this.#entries(node.pipe, this.#pipe(node.pipe, dot));
    if (entries.length === 0) this.#walk(node.otherwise, dot);
    const set = (name: string, value: unknown) => {
      if (declares) this.#variables.push({ name, value });
      else this.#assign(name, value);
    };
    for (const [key, item] of entries) {
      const stop = this.#scoped(() => {
        if (variables.length === 2) set(variables[0]!, key);
        if (variables.length > 0) set(variables.at(-1)!, item);
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
    switch (kindOf(value)) {
      case 'invalid':
      case 'interface':
        return [];
      case 'slice':
        return itemsOf(value).map((item, at) => [at, item]);
      case 'map':
        return entriesOf(value).map(([key, item]) => [keyValue(value, key), item]);
      case 'int':
      case 'uint': {
        if (pipe.variables.length > 1) {
          this.#fail(`can't use ${format(value)} to iterate over more than one variable`);
        }
        const count = Math.max(0, Number(bare(value)));
        return Array.from({ length: count }, (_, at) => [at, at]);
      }
      default:
        return this.#fail(`range can't iterate over ${format(value)}`);
    }
  }

  /** Variables set within are gone afterwards; when something is thrown, too. */
  #scoped<T>(work: () => T): T {
    const depth = this.#variables.length;
    try {
      return work();
    } finally {
      this.#variables.length = depth;
    }
  }

  #pipe(pipe: Pipe, dot: unknown): unknown {
    this.#enter(pipe);
    let piped: Piped;
    // What an empty interface holds is the value: of nil nothing is left.
    for (const command of pipe.commands) {
      piped = { value: this.#command(command, dot, piped) ?? undefined };
    }
    const value = piped?.value;
    for (const name of pipe.variables) {
      if (pipe.declares) this.#variables.push({ name, value });
      else this.#assign(name, value);
    }
    return value;
  }

  #assign(name: string, value: unknown): void {
    const variable = this.#variables.findLast(known => known.name === name);
    if (variable === undefined) this.#fail(`undefined variable: ${name}`);
    variable.value = value;
  }

  #variable(name: string): unknown {
    const variable = this.#variables.findLast(known => known.name === name);
    return variable === undefined ? this.#fail(`undefined variable: ${name}`) : variable.value;
  }

  #command(command: Command, dot: unknown, piped: Piped): unknown {
    const [first, ...rest] = command.operands as [Operand, ...Operand[]];
    switch (first.kind) {
      case 'function':
        return this.#function(first, command, rest, dot, piped);
      case 'field':
      case 'chain':
        return this.#operand(first, dot, rest, piped);
      case 'variable':
        if (first.names.length === 0) {
          this.#enter(first);
          this.#refuseArguments(first, rest, piped);
        }
        return this.#operand(first, dot, rest, piped);
      case 'pipe':
        this.#refuseArguments(first, rest, piped);
        return this.#pipe(first, dot);
      default:
        this.#enter(first);
        this.#refuseArguments(first, rest, piped);
        return first.kind === 'nil' ? this.#fail('nil is not a command') : this.#operand(first, dot);
    }
  }

  #refuseArguments(first: Operand, rest: readonly Operand[], piped: Piped): void {
    if (rest.length === 0 && piped === undefined) return;
    this.#fail(
      `can't give argument to non-function ${first.kind === 'pipe' ? `(${shown(first)})` : shown(first)}`,
    );
  }

  #operand(operand: Operand, dot: unknown, args: readonly Operand[] = [], piped?: Piped): unknown {
    switch (operand.kind) {
      case 'field':
        this.#enter(operand);
        return this.#fields(dot, operand.names, dot, args, piped);
      case 'variable':
        this.#enter(operand);
        return this.#fields(this.#variable(operand.name), operand.names, dot, args, piped);
      case 'chain': {
        this.#enter(operand);
        const value = this.#operand(operand.of, dot);
        return this.#fields(value, operand.names, dot, args, piped);
      }
      case 'function':
        return this.#function(operand, operand, [], dot, undefined);
      case 'pipe':
        return this.#pipe(operand, dot);
      case 'string':
      case 'boolean':
        return operand.value;
      case 'number':
        return this.#number(operand);
      case 'nil':
        return null;
      case 'dot':
        return dot;
    }
  }

  #number(operand: Extract<Operand, { kind: 'number' }>): unknown {
    const { value } = operand;
    switch (value.kind) {
      case 'int':
        return value.value;
      case 'float':
        return new Typed(float64, value.value);
      case 'complex':
        return new Typed(complex128, [value.real, value.imaginary]);
      case 'overflow':
        this.#enter(operand);
        return this.#fail(`${operand.text} overflows int`);
    }
  }

  #function(
    called: Extract<Operand, { kind: 'function' }>,
    command: Operand | Command,
    operands: readonly Operand[],
    dot: unknown,
    piped: Piped,
  ): unknown {
    this.#enter(called);
    const { name } = called;
    const work = this.#functions[name]!;
    const count = operands.length + (piped === undefined ? 0 : 1);
    const { parameters, variadic = false } = work;
    const least = variadic ? parameters.length - 1 : parameters.length;
    if (count < least || (!variadic && count > least)) {
      this.#fail(
        `wrong number of args for ${name}: want ${variadic ? 'at least ' : ''}${least} got ${count}`,
      );
    }
    if (name === 'and' || name === 'or') return this.#logic(name, operands, dot, piped);
    const parameterAt = (at: number) => parameters[Math.min(at, parameters.length - 1)]!;
    const args = operands.map((operand, at) => this.#argument(operand, parameterAt(at), dot));
    if (piped !== undefined) args.push(this.#checked(piped.value, parameterAt(args.length)));
    try {
      return work.call(...(args as never[]));
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      this.#enter(command);
      return this.#fail(`error calling ${name}: ${error.message}`);
    }
  }

  #logic(name: 'and' | 'or', operands: readonly Operand[], dot: unknown, piped: Piped): unknown {
    let value: unknown;
    for (const operand of operands) {
      value = this.#argument(operand, 'raw', dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped === undefined ? value : piped.value;
  }

  #argument(operand: Operand, parameter: Parameter, dot: unknown): unknown {
    this.#enter(operand);
    switch (operand.kind) {
      case 'nil':
        if (parameter === 'string' || parameter === 'int') {
          this.#fail(`cannot assign nil to ${parameter}`);
        }
        return null;
      case 'string':
      case 'number':
      case 'boolean':
        return this.#literal(operand, parameter);
      default:
        return this.#checked(this.#operand(operand, dot), parameter);
    }
  }

  #literal(
    operand: Extract<Operand, { kind: 'string' | 'number' | 'boolean' }>,
    parameter: Parameter,
  ): unknown {
    const asShown = operand.kind === 'string' ? operand.text : shown(operand);
    if (parameter === '[]string') this.#fail(`can't handle ${asShown} for arg of type []string`);
    if (parameter === 'string' && operand.kind !== 'string') this.#fail(`expected string; found ${asShown}`);
    if (parameter === 'int' && !(operand.kind === 'number' && isWhole(operand))) {
      this.#fail(`expected integer; found ${asShown}`);
    }
    const value = operand.kind === 'number' ? this.#number(operand) : operand.value;
    return parameter === 'int' ? Number(bare(value)) : value;
  }

  /** A computed value for a parameter of a type. */
  #checked(value: unknown, parameter: Parameter): unknown {
    if (parameter === 'raw') return value;
    if (parameter === 'any') return value;
    if (value === undefined || (value === null && parameter !== '[]string')) {
      if (parameter === '[]string') return null;
      this.#fail(`invalid value; expected ${parameter}`);
    }
    const kind = kindOf(value);
    const fits =
      parameter === '[]string'
        ? kind === 'slice' && value instanceof Typed && value.type.element?.name === 'string'
        : typeName(value) === parameter;
    if (!fits) this.#fail(`wrong type for value; expected ${parameter}; got ${typeName(value)}`);
    return value;
  }

  #fields(
    start: unknown,
    names: readonly string[],
    dot: unknown,
    args: readonly Operand[],
    piped: Piped,
  ): unknown {
    let value = start;
    let isDynamic = false;
    names.forEach((name, at) => {
      const isLast = at === names.length - 1;
      const next = this.#field(value, name, {
        isDynamic,
        dot,
        args: isLast ? args : [],
        piped: isLast ? piped : undefined,
      });
      isDynamic = kindOf(value) === 'map' && !(value instanceof Typed);
      value = next;
    });
    return value;
  }

  #field(
    value: unknown,
    name: string,
    call: { isDynamic: boolean; dot: unknown; args: readonly Operand[]; piped: Piped },
  ): unknown {
    const hasArguments = call.args.length > 0 || call.piped !== undefined;
    if (value === undefined) {
      if (this.#failsWithoutKey) this.#fail(`nil data; no entry for key ${JSON.stringify(name)}`);
      return undefined;
    }
    if (value === null) this.#fail(`nil pointer evaluating interface {}.${name}`);
    if (isStruct(value)) {
      const field = Object.hasOwn(value, name) ? value[name] : undefined;
      if (typeof field === 'function')
        return field.apply(value, this.#methodArguments(name, field.length, call));
      if (field !== undefined || Object.hasOwn(value, name)) {
        if (hasArguments) this.#methodArguments(name, 0, call);
        return field;
      }
      return this.#fail(`can't evaluate field ${name} in type ${value[goType]}`);
    }
    if (value instanceof Typed) {
      const method = value.type.methods?.[name];
      if (method !== undefined) {
        return method(value.value as never, ...this.#methodArguments(name, method.length - 1, call));
      }
    }
    const kind = kindOf(value);
    if (kind === 'struct') {
      const found = fieldOf(value as Typed, name);
      if (found !== undefined) {
        if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`);
        return found.value;
      }
    }
    if (kind === 'map') {
      if (hasArguments) this.#fail(`${name} is not a method but has arguments`);
      const item = entryOf(value, name);
      if (item === undefined && this.#failsWithoutKey)
        this.#fail(`map has no entry for key ${JSON.stringify(name)}`);
      return item;
    }
    if (kind === 'pointer' && isNil(value)) this.#fail(`nil pointer evaluating ${typeName(value)}.${name}`);
    return this.#fail(
      `can't evaluate field ${name} in type ${call.isDynamic ? 'interface {}' : typeName(value)}`,
    );
  }

  /** Methods here take texts. */
  #methodArguments(
    name: string,
    wanted: number,
    { args, piped, dot }: { args: readonly Operand[]; piped: Piped; dot: unknown },
  ): never[] {
    const count = args.length + (piped === undefined ? 0 : 1);
    if (count !== wanted) {
      this.#fail(`wrong number of args for ${name}: want ${wanted} got ${count}`);
    }
    const values = args.map(operand => this.#argument(operand, 'string', dot));
    if (piped !== undefined) values.push(this.#checked(piped.value, 'string'));
    return values as never[];
  }
}

/** Go allows 100,000; JavaScript's own stack ends before. */
const deepest = 1_000;

function fieldOf({ type, value }: Typed, name: string): { value: unknown } | undefined {
  for (const field of type.fields ?? []) {
    const item = (value as Record<string, unknown>)[field.name];
    if (field.name === name) return { value: item };
    const inner = field.embedded && item instanceof Typed ? fieldOf(item, name) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function isWhole({ value }: Extract<Operand, { kind: 'number' }>): boolean {
  return value.kind === 'int' || (value.kind === 'float' && Number.isInteger(value.value));
}
