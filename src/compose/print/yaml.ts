import { isComplexKey, yamlText } from './yaml-text.ts';

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
    if (isComplexKey(key)) return complexEntry(key, item, indent);
    const start = `${indent}${yamlText(key, '')}:`;
    if (isBlock(item)) return `${start}\n${block(item, `${indent}  `)}`;
    return `${start} ${flow(item, `${indent}  `)}\n`;
  });
  return entries.join('');
}

function flow(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return yamlText(value, indent);
  if (typeof value === 'number') return number(value);
  if (typeof value === 'object') return Array.isArray(value) ? '[]' : '{}';
  return String(value);
}

/** Keys of several lines, and very long ones. */
function complexEntry(key: string, value: unknown, indent: string): string {
  const inner = `${indent}  `;
  const item = isBlock(value) ? block(value, inner).slice(inner.length) : `${flow(value, inner)}\n`;
  return `${indent}? ${yamlText(key, inner)}\n${indent}: ${item}`;
}

/** As Go writes floating point numbers, where they are no whole ones. */
function number(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value < 0 ? '-.inf' : '.inf';
  if (Number.isSafeInteger(value)) return String(value);
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-4 ? value.toExponential() : String(value);
  return text.replace(/e([-+])(\d)$/, 'e$10$2');
}
