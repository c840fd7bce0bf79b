import { EngineError } from '../stdx/errors.ts';

/** The query of a request, read by dockerd's rules (api/server/httputils/form.go). */
export class Query {
  readonly #values: URLSearchParams;

  constructor(text: string) {
    this.#values = new URLSearchParams(text);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** '' when it is missing. */
  text(name: string): string {
    return this.#values.get(name) ?? '';
  }

  /** undefined when it is missing or empty. */
  optional(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  all(name: string): string[] {
    return this.#values.getAll(name);
  }

  /** Everything is true but for '', 0, no, false and none. */
  flag(name: string, whenMissing = false): boolean {
    if (!this.has(name)) return whenMissing;
    return !['', '0', 'no', 'false', 'none'].includes(this.text(name).trim().toLowerCase());
  }

  /** @throws EngineError `invalid` in the words of Go's strconv */
  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    if (!/^[+-]?\d+$/.test(text)) {
      throw new EngineError('invalid', `strconv.Atoi: parsing "${text}": invalid syntax`);
    }
    return Number(text);
  }

  /** A value that is JSON. @throws EngineError `invalid` */
  json(name: string): unknown {
    const text = this.text(name);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new EngineError('invalid', `error reading ${name}: invalid JSON`, { cause: error });
    }
  }
}
