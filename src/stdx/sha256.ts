/**
 * SHA-256 of a short text. Loading node:crypto costs a client more than hashing all of a project's services here; where
 * there is much to hash, or a stream, node:crypto is the faster one.
 * @returns hex
 */
export function sha256OfText(text: string): string {
  const message = padded(Buffer.from(text));
  const view = new DataView(message.buffer, message.byteOffset);
  const state = Int32Array.from(initialState);
  const words = new Int32Array(64);
  for (let offset = 0; offset < message.length; offset += 64) addBlock(state, words, view, offset);
  return Array.from(state, word => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** A one bit, zeros, and the length in bits as 64 bits, to a multiple of 64 bytes. */
function padded(content: Buffer): Buffer {
  const message = Buffer.alloc(Math.ceil((content.length + 9) / 64) * 64);
  content.copy(message);
  message[content.length] = 0x80;
  message.writeUInt32BE(Math.floor(content.length / 0x2000_0000), message.length - 8);
  message.writeUInt32BE((content.length * 8) >>> 0, message.length - 4);
  return message;
}

/** Written out as it is: most texts are hashed before the compiler has looked at this. */
function addBlock(state: Int32Array, words: Int32Array, message: DataView, offset: number): void {
  for (let at = 0; at < 16; at++) words[at] = message.getInt32(offset + at * 4);
  for (let at = 16; at < 64; at++) {
    const x = words[at - 15]!;
    const y = words[at - 2]!;
    const early = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const late = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[at] = words[at - 16]! + early + words[at - 7]! + late;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let at = 0; at < 64; at++) {
    const mixedE = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + mixedE + ((e & f) ^ (~e & g)) + roundConstants[at]! + words[at]!) | 0;
    const mixedA = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (mixedA + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}

/** The first 64 primes: their roots' fractions are the constants. */
const primes = Array.from({ length: 312 }, (_, number) => number).filter(isPrime);
const initialState = primes.slice(0, 8).map(prime => fraction(prime ** (1 / 2)));
const roundConstants = Int32Array.from(primes, prime => fraction(prime ** (1 / 3)));

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return number > 1;
}

/** The first 32 bits behind the point. */
function fraction(root: number): number {
  return ((root - Math.floor(root)) * 0x1_0000_0000) >>> 0;
}
