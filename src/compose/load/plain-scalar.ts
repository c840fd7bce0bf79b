import type { ScalarValue } from './node.ts';

const nulls = new Set(['', '~', 'null', 'Null', 'NULL']);
const booleans = new Map<string, boolean>([
  ...['true', 'True', 'TRUE'].map(word => [word, true] as const),
  ...['false', 'False', 'FALSE'].map(word => [word, false] as const),
]);

/**
 * What a scalar without quotes means. YAML 1.2's words, and of YAML 1.1 what Go's parser kept and Compose files rely
 * on: octal numbers with a leading zero (`mode: 0440`) and `_` between digits. `yes`, `no`, `on`, `off` are text.
 */
export function plainScalar(text: string): ScalarValue {
  if (nulls.has(text)) return null;
  const boolean = booleans.get(text);
  if (boolean !== undefined) return boolean;
  return numberOf(text) ?? text;
}

function numberOf(text: string): number | undefined {
  if (!/^[-+.]?\d|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$/.test(text)) return undefined;
  const digits = text.replaceAll('_', '');
  const whole = /^([-+]?)(0x[0-9a-fA-F]+|0b[01]+|0o[0-7]+|0[0-7]+|0|[1-9]\d*)$/.exec(digits);
  if (whole !== null) {
    const [, sign, body] = whole;
    const value = /^0[0-7]+$/.test(body!) ? Number.parseInt(body!, 8) : Number(body);
    // Ids of clouds and keys are longer than a double can hold: those stay as they are written.
    if (!Number.isSafeInteger(value)) return undefined;
    return sign === '-' ? -value : value;
  }
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(digits)) {
    const value = Number(digits);
    return Number.isFinite(value) ? value : undefined;
  }
  if (/^[-+]?\.(inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^\.(nan|NaN|NAN)$/.test(text) ? Number.NaN : undefined;
}
