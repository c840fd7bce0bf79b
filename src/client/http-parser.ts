import { EngineError } from '../stdx/errors.ts';

/** What of a response comes before its body. Header names are lower-cased; repeated ones are joined by a comma. */
export interface ResponseHead {
  status: number;
  reason: string;
  headers: Record<string, string>;
}

/** How the end of a body is known. */
export type BodyFraming =
  | { kind: 'none' }
  | { kind: 'length'; bytes: number }
  | { kind: 'chunked' }
  | { kind: 'untilClose' };

const longestHeadBytes = 1 << 20;

/** @returns the head and where the body begins, or undefined while the head is incomplete */
export function parseHead(received: Buffer): { head: ResponseHead; bodyStart: number } | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) {
    if (received.length > longestHeadBytes) throw malformed('header too long');
    return undefined;
  }
  const [statusLine = '', ...lines] = received.toString('latin1', 0, end).split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(statusLine);
  if (match === null) throw malformed(JSON.stringify(statusLine.slice(0, 80)));
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw malformed(`header ${JSON.stringify(line.slice(0, 80))}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return { head: { status: Number(match[1]), reason: match[2]!, headers }, bodyStart: end + 4 };
}

/** RFC 9112, 6.3. */
export function framingOf(head: ResponseHead, method: string): BodyFraming {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return { kind: 'none' };
  if (/\bchunked\b/i.test(head.headers['transfer-encoding'] ?? '')) return { kind: 'chunked' };
  const length = head.headers['content-length'];
  if (length === undefined) return { kind: 'untilClose' };
  if (!/^\d+$/.test(length)) throw malformed(`content-length ${JSON.stringify(length)}`);
  return length === '0' ? { kind: 'none' } : { kind: 'length', bytes: Number(length) };
}

/** Takes the framing off a body's bytes as they arrive. */
export class BodyDecoder {
  readonly #framing: BodyFraming;
  readonly #deliver: (chunk: Buffer) => void;
  #left: number;
  #state: 'size' | 'data' | 'dataEnd' | 'trailer' = 'size';
  #line = '';
  done: boolean;

  constructor(framing: BodyFraming, deliver: (chunk: Buffer) => void) {
    this.#framing = framing;
    this.#deliver = deliver;
    this.#left = framing.kind === 'length' ? framing.bytes : 0;
    this.done = framing.kind === 'none';
  }

  /** @returns how many bytes belonged to this body */
  push(chunk: Buffer): number {
    if (this.done) return 0;
    switch (this.#framing.kind) {
      case 'untilClose':
        this.#deliver(chunk);
        return chunk.length;
      case 'length': {
        const part = chunk.subarray(0, this.#left);
        this.#left -= part.length;
        this.#deliver(part);
        if (this.#left === 0) this.done = true;
        return part.length;
      }
      default:
        return this.#pushChunked(chunk);
    }
  }

  /** The connection has ended. @throws unavailable when the body was not whole */
  end(): void {
    if (this.#framing.kind === 'untilClose') this.done = true;
    if (!this.done) throw new EngineError('unavailable', 'unexpected EOF');
  }

  #pushChunked(chunk: Buffer): number {
    let offset = 0;
    while (offset < chunk.length && !this.done) {
      if (this.#state === 'data') {
        const part = chunk.subarray(offset, offset + this.#left);
        this.#left -= part.length;
        offset += part.length;
        this.#deliver(part);
        if (this.#left === 0) this.#state = 'dataEnd';
        continue;
      }
      const newline = chunk.indexOf(0x0a, offset);
      const stop = newline === -1 ? chunk.length : newline + 1;
      this.#line += chunk.toString('latin1', offset, stop);
      offset = stop;
      if (this.#line.length > 4096) throw malformed('chunk header too long');
      if (newline !== -1) this.#takeLine(this.#line.trimEnd());
    }
    return offset;
  }

  #takeLine(line: string): void {
    this.#line = '';
    if (this.#state === 'trailer') {
      if (line === '') this.done = true;
    } else if (this.#state === 'dataEnd') {
      this.#state = 'size';
    } else {
      const size = /^[0-9a-fA-F]+/.exec(line);
      if (size === null) throw malformed(`chunk size ${JSON.stringify(line.slice(0, 80))}`);
      this.#left = Number.parseInt(size[0], 16);
      this.#state = this.#left === 0 ? 'trailer' : 'data';
    }
  }
}

function malformed(what: string): EngineError {
  return new EngineError('unavailable', `malformed HTTP response: ${what}`);
}
