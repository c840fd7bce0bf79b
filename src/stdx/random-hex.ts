import { closeSync, openSync, readSync } from 'node:fs';

/** Random bytes, in hex, from the kernel itself: loading node:crypto costs a client 10 ms. */
export function randomHex(bytes: number): string {
  const source = openSync('/dev/urandom', 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    // Up to 256 bytes are never given in part (random(7)).
    readSync(source, buffer);
    return buffer.toString('hex');
  } finally {
    closeSync(source);
  }
}
