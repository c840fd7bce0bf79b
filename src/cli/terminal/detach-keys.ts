import { EngineError } from '../../stdx/errors.ts';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** `ctrl-p,ctrl-q`, `a`, `ctrl-@` as the bytes a terminal sends. @throws invalid */
export function parseDetachKeys(text: string): number[] {
  return text.split(',').map(key => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (control === undefined) throw new EngineError('invalid', `Unknown character: '${key}'`);
    return control.toUpperCase().charCodeAt(0) - 64;
  });
}

/**
 * Looks for the detach keys in what is typed. Keys that begin the sequence are held back until it is clear whether they
 * belong to it.
 */
export class DetachKeyFilter {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** @returns what to pass on, and whether the sequence is complete */
  push(chunk: Buffer): { pass: Buffer; detached: boolean } {
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        if (++this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true };
        continue;
      }
      pass.push(...this.#keys.slice(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) pass.push(byte);
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}
