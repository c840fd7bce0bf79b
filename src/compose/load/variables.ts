import { closingBrace } from './substitution.ts';

/** A variable as a project's files use it. */
export interface Variable {
  name: string;
  /** `${NAME?}`: without it the project cannot be read. */
  required: boolean;
  /** Behind `-`. */
  defaultValue: string;
  /** Behind `+`: what it becomes when it is set. */
  alternateValue: string;
}

/** The variables in all texts of a value, by name; of several uses the first that says something counts. */
export function variablesIn(value: unknown): Variable[] {
  const found = new Map<string, Variable>();
  collect(value, found);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function collect(value: unknown, found: Map<string, Variable>): void {
  if (typeof value === 'string') collectFromText(value, found);
  else if (value !== null && typeof value === 'object')
    for (const item of Object.values(value)) collect(item, found);
}

function collectFromText(text: string, found: Map<string, Variable>): void {
  for (let at = text.indexOf('$'); at !== -1; at = text.indexOf('$', at)) {
    const rest = text.slice(at + 1);
    const name = /^[_a-z][_a-z0-9]*/i.exec(rest)?.[0];
    const end = rest.startsWith('{') ? closingBrace(rest) : undefined;
    if (name !== undefined) keep(found, name, '', '');
    else if (end !== undefined) {
      const [, inBraces, operator, word = ''] =
        /^([_a-z][_a-z0-9]*)(?::?([-?+])([\s\S]*))?$/i.exec(rest.slice(1, end)) ?? [];
      if (inBraces !== undefined) keep(found, inBraces, operator ?? '', word);
      collectFromText(word, found);
    }
    // Two dollar signs are one that starts nothing.
    at += rest.startsWith('$') ? 2 : end === undefined ? 1 : end + 2;
  }
}

function keep(found: Map<string, Variable>, name: string, operator: string, word: string): void {
  const earlier = found.get(name);
  found.set(name, {
    name,
    required: earlier?.required === true || operator === '?',
    defaultValue: earlier?.defaultValue || (operator === '-' ? word : ''),
    alternateValue: earlier?.alternateValue || (operator === '+' ? word : ''),
  });
}
