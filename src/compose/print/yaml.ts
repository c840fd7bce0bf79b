import { plainScalar } from '../load/plain-scalar.ts';

/** A value as YAML, in the style of Go's encoder: two blanks, text in quotes only where it would be something else. */
export function toYaml(value: unknown): string {
  if (isBlock(value)) return block(value, '');
  return `${flow(value)}\n`;
}

type Collection = unknown[] | Record<string, unknown>;

function isBlock(value: unknown): value is Collection {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function block(value: Collection, indent: string): string {
  if (Array.isArray(value)) {
    const items = value.map(item => {
      if (!isBlock(item)) return `${indent}- ${flow(item, `${indent}  `)}\n`;
      // The first line of what is inside stands behind the dash.
      return `${indent}- ${block(item, `${indent}  `).slice(indent.length + 2)}`;
    });
    return items.join('');
  }
  const entries = Object.entries(value).map(([key, item]) => {
    const start = `${indent}${text(key)}:`;
    if (isBlock(item)) return `${start}\n${block(item, `${indent}  `)}`;
    return `${start} ${flow(item, `${indent}  `)}\n`;
  });
  return entries.join('');
}

function flow(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return value.includes('\n') ? literal(value, indent) : text(value);
  if (typeof value === 'object') return Array.isArray(value) ? '[]' : '{}';
  return String(value);
}

/** `|` and lines; what trails is said by `-` (nothing), nothing (one line end) or `+` (more). */
function literal(value: string, indent: string): string {
  if (/^[ \n]|[^\S\n]\n|[^\P{C}\n\t]/u.test(value) || value.trim() === '') return JSON.stringify(value);
  const trailing = /\n*$/.exec(value)![0].length;
  const chomping = trailing === 0 ? '-' : trailing === 1 ? '' : '+';
  const body = value.replace(/\n$/, '').split('\n');
  return `|${chomping}\n${body.map(line => (line === '' ? '' : indent + line)).join('\n')}`;
}

const oldBooleans = /^(y|n|yes|no|on|off)$/i;

function text(value: string): string {
  if (/[^\P{C}]/u.test(value)) return JSON.stringify(value);
  if (plainScalar(value) !== value || oldBooleans.test(value) || looksOld(value))
    return JSON.stringify(value);
  const special = /^[-?:,[\]{}#&*!|>'"%@`\s]|: |:$| #|\s$/;
  if (!special.test(value) || (/^[-?:][^\s,[\]{}]/.test(value) && !/: |:$| #|\s$/.test(value))) return value;
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`;
}

/** Numbers in base 60, dates and `<<`, which YAML 1.1 reads as something else. */
function looksOld(value: string): boolean {
  return /^[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?$|^\d{4}-\d{2}-\d{2}([Tt ].*)?$|^<<$/.test(value);
}
