import { isAbsolute, join } from 'node:path';
import { byteSizeOf } from '../../../stdx/byte-size.ts';
import { formatGoDuration, goDurationOf } from '../../../stdx/go-duration.ts';
import { type ScalarValue, scalar, textOf } from '../node.ts';
import { fault, isOpen, type Reading, type Shape } from './shape.ts';

/**
 * A shape of single values. `read` returns the canonical value, or what is wrong in words after the path.
 * @param written what becomes of it where values stay as they are written
 */
function scalarShape(
  read: (value: ScalarValue, reading: Reading) => ScalarValue | Fault,
  written: 'kept' | 'resolved' = 'kept',
): Shape {
  return {
    canonical(node, path, reading) {
      if (written === 'kept' && isOpen(node, reading)) return node;
      const value = node.kind === 'scalar' ? read(node.value, reading) : read(Number.NaN, reading);
      if (value instanceof Fault) throw fault(node, `${path} ${value.message}`);
      return reading.interpolates || written === 'resolved' ? scalar(value, node) : node;
    },
  };
}

class Fault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export const text: Shape = scalarShape(value =>
  typeof value === 'string' ? value : new Fault('must be a string'),
);

export const textOrNull: Shape = scalarShape(value =>
  typeof value === 'string' || value === null ? value : new Fault('must be a string'),
);

export function oneOf(...values: readonly string[]): Shape {
  const list = values.map(value => `'${value}'`).join(', ');
  return scalarShape(value =>
    typeof value === 'string' && values.includes(value) ? value : new Fault(`value must be one of ${list}`),
  );
}

export function matching(pattern: RegExp, what: string): Shape {
  return scalarShape(value => {
    if (typeof value !== 'string') return new Fault('must be a string');
    return pattern.test(value) ? value : new Fault(`${JSON.stringify(value)} is not ${what}`);
  });
}

const words: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  y: true,
  yes: true,
  on: true,
  n: false,
  no: false,
  off: false,
};

export const flag: Shape = scalarShape((value, reading) => {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return new Fault('must be a boolean or string');
  const word = value.toLowerCase();
  const meant = words[word];
  if (meant === undefined) return new Fault(`is no boolean: ${JSON.stringify(value)}`);
  if (word !== String(meant))
    reading.warn(`"${value}" for boolean is not supported by YAML 1.2, please use \`${meant}\``);
  return meant;
});

/** A flag of which `false` is not the same as nothing. */
export const flagOrUnset: Shape = { ...flag, keepsEmpty: true };

/** `true` and `false` as text: BuildKit's attestations take more words than these. */
export const textOrFlag: Shape = scalarShape(value =>
  typeof value === 'string' || typeof value === 'boolean'
    ? String(value)
    : new Fault('must be a boolean or string'),
);

export function whole(limits: { min?: number; max?: number } = {}): Shape {
  return scalarShape(value => {
    const number = numberOf(value);
    if (number === undefined || !Number.isInteger(number))
      return new Fault('must be an integer or string with one');
    if (!Number.isSafeInteger(number)) return new Fault('is too large a number');
    if (number < (limits.min ?? -Infinity))
      return new Fault(`must be greater than or equal to ${limits.min}`);
    if (number > (limits.max ?? Infinity)) return new Fault(`must be less than or equal to ${limits.max}`);
    return number;
  });
}

/** A number of which 0 is not the same as nothing. */
export function wholeOrUnset(limits: { min?: number } = {}): Shape {
  return { ...whole(limits), keepsEmpty: true };
}

export const decimal: Shape = scalarShape(
  value => numberOf(value) ?? new Fault('must be a number or string with one'),
);

/** `all` or a number; -1 says all. */
export const deviceCount: Shape = scalarShape(value =>
  value === 'all' ? -1 : (numberOf(value) ?? new Fault("must be a number or 'all'")),
);

/** `512m`, `1.5GiB`, 1024: bytes, as text (Docker's JSON has them so). -1 says no limit. */
export const byteSize: Shape = {
  ...scalarShape(value => {
    if (typeof value === 'number' && Number.isInteger(value)) return String(value);
    if (typeof value !== 'string') return new Fault('must be a number or string');
    if (value === '-1') return value;
    // Longer than a number here can be: what cgroups call no limit.
    if (/^\d{16,19}$/.test(value)) return String(BigInt(value));
    const bytes = byteSizeOf(value);
    return bytes === undefined ? new Fault(`is no size: '${value}'`) : String(bytes);
  }),
  printed: bytes => (bytes === '0' ? undefined : bytes),
};

/** A size of which there is no -1. */
export const givenByteSize: Shape = {
  ...byteSize,
  canonical(node, path, reading) {
    const size = byteSize.canonical(node, path, reading);
    if (textOf(size)?.startsWith('-')) throw fault(node, `${path} must be greater than or equal to 0`);
    return size;
  },
};

/** `1m30s`, `1.5h`, `2d`: as Go writes it. */
export const duration: Shape = scalarShape(value => {
  if (typeof value !== 'string') return new Fault('must be a string');
  const ns = goDurationOf(inHours(value));
  return ns === undefined ? new Fault(`is no duration: ${JSON.stringify(value)}`) : formatGoDuration(ns);
});

/** A duration of which 0 is not the same as nothing. */
export const durationOrUnset: Shape = { ...duration, keepsEmpty: true };

/** Days and weeks, which Go's durations do not know. */
function inHours(text: string): string {
  return text.replace(
    /(\d+(?:\.\d+)?)(w|d)/g,
    (_, count: string, unit: string) => `${Number(count) * (unit === 'w' ? 168 : 24)}h`,
  );
}

/** A file mode: a number, or octal digits as text. */
export const fileMode: Shape = scalarShape(value => {
  if (typeof value === 'number' && Number.isInteger(value)) return `0${value.toString(8)}`;
  if (typeof value === 'string' && /^(0o?)?[0-7]{1,4}$/.test(value))
    return `0${Number.parseInt(value.replace(/^0o/, ''), 8).toString(8)}`;
  return new Fault('must be a file mode in octal digits');
});

/** A file mode that Docker's JSON has as a number. */
export const numericMode: Shape = scalarShape(value => {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (typeof value === 'string' && /^[0-7]{1,5}$/.test(value)) return Number.parseInt(value, 8);
  return new Fault('must be a file mode in octal digits');
});

/** Text or number, as text. */
export const textOrNumber: Shape = scalarShape(value =>
  typeof value === 'string' || typeof value === 'number'
    ? goText(value)
    : new Fault('must be a number or string'),
);

/** A path on this machine; a relative one starts at the file's project directory. */
export const path: Shape = scalarShape(
  (value, reading) =>
    typeof value === 'string' ? resolvePath(value, reading) : new Fault('must be a string'),
  'resolved',
);

/** A build context: a directory, or something that is none (a URL, `docker-image://`, `service:`). */
export const contextPath: Shape = scalarShape((value, reading) => {
  if (typeof value !== 'string') return new Fault('must be a string');
  return isRemoteContext(value) ? value : resolvePath(value, reading);
}, 'resolved');

export function isRemoteContext(value: string): boolean {
  return /^(https?|git|ssh|docker-image|oci-layout|target):\/\/|^github\.com\/|^git@|^service:|^target:/.test(
    value,
  );
}

export function resolvePath(
  value: string,
  { directory, resolvesPaths, interpolates, homeDirectory }: Reading,
): string {
  // Whether it is relative is not known before a variable at its beginning is.
  if (!resolvesPaths || value === '' || (!interpolates && value.startsWith('$'))) return value;
  const expanded = value === '~' || value.startsWith('~/') ? join(homeDirectory, value.slice(1)) : value;
  return isAbsolute(expanded) ? expanded : join(directory, expanded);
}

/** How Go prints the value of a mapping of texts. */
export function goText(value: string | number | boolean): string {
  if (typeof value !== 'number') return String(value);
  if (!Number.isFinite(value))
    return String(value).replace(/^(-?)Infinity$/, (_, sign) => `${sign || '+'}Inf`);
  const size = Math.abs(value);
  const text =
    !Number.isSafeInteger(value) && (size < 1e-4 || size >= 1e6) ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function numberOf(value: ScalarValue): number | undefined {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  if (typeof value !== 'string' || !/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(value)) return undefined;
  return Number(value);
}
