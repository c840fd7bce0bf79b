import { EngineError } from '../../stdx/errors.ts';

const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** Docker's notation for a key sequence, as the bytes a terminal sends. @throws invalid */
export function parseDetachKeys(text: string | undefined): Buffer {
  const keys = (text || defaultDetachKeys).split(',').map(key => {
    const byte = byteOf(key);
    if (byte === undefined) {
      throw new EngineError('invalid', `Invalid detach keys (${text}) provided`);
    }
    return byte;
  });
  return Buffer.from(keys);
}

function byteOf(key: string): number | undefined {
  if (key === 'DEL') return 127;
  if (/^ctrl-./.test(key)) {
    const letter = key.charCodeAt('ctrl-'.length);
    // ctrl-a is 1 ... ctrl-z 26; then @ [ \ ] ^ _ as on any terminal.
    if (letter >= 0x61 && letter <= 0x7a && key.length === 6) return letter - 0x60;
    if (key.length === 6 && '@[\\]^_'.includes(key[5]!)) return letter - 0x40;
    return undefined;
  }
  return Buffer.byteLength(key) === 1 ? key.charCodeAt(0) : undefined;
}

/**
 * Watches a terminal's input for the sequence. Keys of a sequence that has begun are held back, and sent on when
 * the next key shows it was none.
 */
export class DetachDetector {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** @returns what to send on, and whether the client wants to detach (the rest of the input is dropped). */
  feed(chunk: Buffer): { forward: Buffer; detached: boolean } {
    const forward: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { forward: Buffer.from(forward), detached: true };
        continue;
      }
      forward.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) forward.push(byte);
    }
    return { forward: Buffer.from(forward), detached: false };
  }
}
