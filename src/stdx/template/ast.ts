/** What a template means once read. `at` is the offset errors point to. */
export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipe: Pipe }
  | { kind: 'if' | 'with'; pipe: Pipe; body: Node[]; otherwise: Node[] }
  | { kind: 'range'; pipe: Pipe; body: Node[]; otherwise: Node[] }
  | { kind: 'break' | 'continue' }
  | { kind: 'define'; name: string; body: Node[] }
  | { kind: 'template'; name: string; pipe?: Pipe; at: number };

export interface Pipe {
  /** Variables set by it: one, or two for range. */
  variables: string[];
  /** `:=` makes them, `=` changes them. */
  declares: boolean;
  commands: Command[];
  at: number;
  text: string;
}

export interface Command {
  operands: Operand[];
  at: number;
  text: string;
}

export type Operand = { at: number; text: string } & (
  | { kind: 'field'; names: string[] }
  | { kind: 'variable'; name: string; names: string[] }
  | { kind: 'function'; name: string }
  | { kind: 'literal'; value: string | number | bigint | boolean }
  | { kind: 'nil' }
  | { kind: 'dot' }
  /** `(pipeline).Field` */
  | { kind: 'chain'; pipe: Pipe; names: string[] }
);
