import type { GoNumber } from './numbers.ts';

/** What a template means once read. `at` is the offset errors point to. */
export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipe: Pipe; at: number }
  | { kind: 'if' | 'with' | 'range'; pipe: Pipe; body: Node[]; otherwise: Node[]; at: number }
  | { kind: 'break' | 'continue' }
  | { kind: 'template'; name: string; pipe?: Pipe; at: number };

export interface Pipe {
  kind: 'pipe';
  /** Variables set by it: one, or two for range. */
  variables: string[];
  /** `:=` makes them, `=` changes them. */
  declares: boolean;
  commands: Command[];
  at: number;
}

export interface Command {
  kind: 'command';
  operands: Operand[];
  at: number;
}

export type Operand =
  | { at: number; kind: 'field'; names: string[] }
  | { at: number; kind: 'variable'; name: string; names: string[] }
  | { at: number; kind: 'function'; name: string }
  | { at: number; kind: 'string'; text: string; value: string }
  | { at: number; kind: 'number'; text: string; value: GoNumber }
  | { at: number; kind: 'boolean'; value: boolean }
  | { at: number; kind: 'nil' }
  | { at: number; kind: 'dot' }
  | Pipe
  /** `(pipeline).Field` or `function.Field` */
  | { at: number; kind: 'chain'; of: Operand; names: string[] };

/** A part of a template as errors show it. */
export function shown(node: Operand | Command | Extract<Node, { kind: 'template' }>): string {
  switch (node.kind) {
    case 'field':
      return `.${node.names.join('.')}`;
    case 'variable':
      return [node.name, ...node.names].join('.');
    case 'function':
      return node.name;
    case 'string':
    case 'number':
      return node.text;
    case 'boolean':
      return String(node.value);
    case 'nil':
      return 'nil';
    case 'dot':
      return '.';
    case 'chain':
      return [node.of.kind === 'pipe' ? `(${shown(node.of)})` : shown(node.of), ...node.names].join('.');
    case 'command':
      return node.operands
        .map(operand => (operand.kind === 'pipe' ? `(${shown(operand)})` : shown(operand)))
        .join(' ');
    case 'pipe': {
      const commands = node.commands.map(shown).join(' | ');
      return node.variables.length === 0
        ? commands
        : `${node.variables.join(', ')} ${node.declares ? ':=' : '='} ${commands}`;
    }
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipe === undefined ? '' : ` ${shown(node.pipe)}`}}}`;
  }
}
