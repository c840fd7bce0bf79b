import { EngineError } from '../stdx/errors.ts';
import { GoRegexp } from '../stdx/go-regexp/go-regexp.ts';
import { PatternError } from '../stdx/go-regexp/parse.ts';
import { syntaxFault } from './go-json.ts';
import type { Query } from './query.ts';

/**
 * The `filters` of a list or prune request: name -> values, each name's values meaning any of them. Two forms are
 * sent: `{"status": ["exited"]}` and, by Docker's own clients since 1.22, `{"status": {"exited": true}}`.
 */
export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;
  /** Each is compiled once, as there may be a thousand names to compare. */
  readonly #expressions = new Map<string, GoRegexp | undefined>();

  /** @throws EngineError `invalid` for malformed JSON and for names that are not among the `known` */
  static read(query: Query, known: readonly string[]): Filters {
    const values = parse(query.text('filters'));
    for (const name of values.keys()) {
      if (!known.includes(name)) throw new EngineError('invalid', `invalid filter '${name}'`);
    }
    return new Filters(values);
  }

  /** Names nobody knows are never asked for. @throws EngineError `invalid` for malformed JSON */
  static readAny(query: Query): Filters {
    return new Filters(parse(query.text('filters')));
  }

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.values(name).length > 0;
  }

  values(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** No values, or one of them is the text. */
  exact(name: string, text: string): boolean {
    return !this.has(name) || this.values(name).includes(text);
  }

  /** No values, or one of them is a regular expression that fits the text or is a part of it. */
  match(name: string, text: string): boolean {
    return this.exact(name, text) || this.values(name).some(value => this.#fits(value, text));
  }

  /** No values, or one of them begins the text. */
  prefix(name: string, text: string): boolean {
    return !this.has(name) || this.values(name).some(value => text.startsWith(value));
  }

  /** Every `key` or `key=value` is among the labels. */
  labels(name: string, labels: Readonly<Record<string, string>>): boolean {
    return this.values(name).every(wanted => hasLabel(labels, wanted));
  }

  /** For prune: has all of `label` and none of `label!`. */
  prunableLabels(labels: Readonly<Record<string, string>>): boolean {
    if (!this.labels('label', labels)) return false;
    return !this.has('label!') || !this.labels('label!', labels);
  }

  /** @throws EngineError `invalid` for no boolean at all, and for both */
  flag(name: string): boolean | undefined {
    const values = this.values(name);
    if (values.length === 0) return undefined;
    const truths = new Set(values.map(truthOf).filter(truth => truth !== undefined));
    if (truths.size !== 1) {
      throw new EngineError('invalid', `invalid filter '${name}=[${values.join(' ')}]'`);
    }
    return truths.has(true);
  }

  /**
   * `until`: a time (RFC 3339 or seconds since the epoch) or a duration before now, as milliseconds since the epoch.
   * @throws EngineError `invalid`
   */
  untilMs(name = 'until'): number | undefined {
    const values = this.values(name);
    if (values.length > 1) throw new EngineError('invalid', `more than one ${name} filter specified`);
    return values[0] === undefined ? undefined : timeMsOf(values[0], Date.now());
  }

  #fits(pattern: string, text: string): boolean {
    if (!this.#expressions.has(pattern)) this.#expressions.set(pattern, expressionOf(pattern));
    const expression = this.#expressions.get(pattern);
    // dockerd skips patterns that do not compile, too (api/types/filters, Args.Match).
    return expression === undefined ? text.includes(pattern) : expression.fits(text);
  }
}

function expressionOf(pattern: string): GoRegexp | undefined {
  try {
    return new GoRegexp(pattern);
  } catch (error) {
    if (error instanceof PatternError) return undefined;
    throw error;
  }
}

const unitsMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * A point in time as Docker takes it (api/types/time): seconds since the epoch with a fraction, RFC 3339 or a part
 * of it, or a Go duration before now.
 * @throws EngineError `invalid`
 */
export function timeMsOf(text: string, nowMs: number): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g);
    return nowMs - [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * unitsMs[unit!]!, 0);
  }
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new EngineError('invalid', `failed to parse value as time or duration: "${text}"`);
  }
  return ms;
}

function parse(text: string): Map<string, string[]> {
  if (text === '') return new Map();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // Go has other words for the end of a text than for that of a stream.
    const fault = syntaxFault(text, error as Error).replace('unexpected EOF', 'unexpected end of JSON input');
    throw new EngineError('invalid', fault, { cause: error });
  }
  if (json === null) return new Map();
  if (typeof json !== 'object' || Array.isArray(json)) throw new EngineError('invalid', 'invalid filter');
  return new Map(Object.entries(json).map(([name, values]) => [name, valuesOf(values)]));
}

function valuesOf(values: unknown): string[] {
  if (Array.isArray(values) && values.every(value => typeof value === 'string')) return values;
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new EngineError('invalid', 'invalid filter');
  }
  return Object.entries(values).flatMap(([value, wanted]) => (wanted === true ? [value] : []));
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

function truthOf(text: string): boolean | undefined {
  if (text === '1' || text === 'true') return true;
  if (text === '0' || text === 'false') return false;
  return undefined;
}
