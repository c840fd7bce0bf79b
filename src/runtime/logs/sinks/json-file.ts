import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type LogMessage, usualLineBytes, utcTime } from '../log-message.ts';
import { booleanOption, invalidOption, parseInteger, sizeOption } from '../log-option-values.ts';
import type { LogSink } from '../log-sink.ts';
import { expandTag, extraAttributes, type LogOptions, type LogSource } from '../log-source.ts';
import { longestEscapeBytes, writeEscaped } from './json-line.ts';

export interface JsonFileConfig {
  /** undefined: it grows for ever, Docker's default. */
  maxSizeBytes: number | undefined;
  maxFiles: number;
  compress: boolean;
  attributes: Record<string, string>;
}

/** @throws EngineError `invalid` in Docker's words */
export function parseJsonFileConfig(source: LogSource, options: LogOptions): JsonFileConfig {
  const sizeBytes = sizeOption(options, 'max-size', -1);
  if (options['max-size'] !== undefined && sizeBytes <= 0) {
    throw invalidOption('max-size must be a positive number');
  }
  const maxFiles = options['max-file'] === undefined ? 1 : parseInteger(options['max-file']);
  if (maxFiles < 1) throw invalidOption('max-file cannot be less than 1');
  const compress = booleanOption(options, 'compress', false);
  if (compress && (maxFiles === 1 || sizeBytes === -1)) {
    throw invalidOption('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  const attributes = extraAttributes(source, options);
  if (options['tag']) attributes['tag'] = expandTag(source, options);
  return { maxSizeBytes: sizeBytes === -1 ? undefined : sizeBytes, maxFiles, compress, attributes };
}

/**
 * Docker's json-file: `{"log":"text\n","stream":"stdout","attrs":{"a":"b"},"time":"2026-11-21T05:12:33.123Z"}`, a line
 * each, in `ID-json.log`, `ID-json.log.1` (or `.1.gz`) and so on, the larger number the older.
 */
export class JsonFileSink implements LogSink {
  readonly #path: string;
  readonly #config: JsonFileConfig;
  readonly #attributes: Buffer;
  #fd: number;
  #sizeBytes: number;
  /** Done at the next write: until then takeBack may need it as it is. Also what a killed daemon left. */
  #mayBeToCompress: boolean;

  /** @param state what `state` gave last: what was written after that is taken back, as it comes again */
  constructor(path: string, config: JsonFileConfig, state: Readonly<Record<string, number>> = {}) {
    this.#path = path;
    this.#config = config;
    const names = Object.keys(config.attributes).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const attributes = Object.fromEntries(names.map(name => [name, config.attributes[name]]));
    this.#attributes = Buffer.from(
      names.length === 0
        ? ''
        : `,"attrs":${JSON.stringify(attributes).replace(/[<>&\u2028\u2029]/g, goEscape)}`,
    );
    takeBack(path, state);
    this.#fd = openSync(path, 'a', 0o640);
    this.#sizeBytes = fstatSync(this.#fd).size;
    this.#mayBeToCompress = config.compress;
  }

  async write(messages: readonly LogMessage[]): Promise<number> {
    let most = 0;
    for (const { line } of messages) most += line.length * longestEscapeBytes + this.#attributes.length + 100;
    const buffer = Buffer.allocUnsafe(Math.min(most, bufferBytes + this.#longestLineBytes(messages)));
    let filled = 0;
    if (this.#mayBeToCompress) await this.#compressRotated();
    for (const [index, message] of messages.entries()) {
      if (this.#isFull(filled)) {
        this.#append(buffer, filled);
        this.#rotate();
        // The new file must be on record before there is another: takeBack looks no further than `.1`.
        if (index > 0) return index;
      }
      if (filled > bufferBytes) {
        this.#append(buffer, filled);
        filled = 0;
      }
      filled = this.#encode(message, buffer, filled);
    }
    this.#append(buffer, filled);
    return messages.length;
  }

  state(): Readonly<Record<string, number>> {
    return { inode: fstatSync(this.#fd).ino, sizeBytes: this.#sizeBytes };
  }

  async close(): Promise<void> {
    closeSync(this.#fd);
    if (this.#mayBeToCompress) await this.#compressRotated();
  }

  #longestLineBytes(messages: readonly LogMessage[]): number {
    let longest = usualLineBytes;
    for (const { line } of messages) longest = Math.max(longest, line.length);
    return longest * longestEscapeBytes + this.#attributes.length + 100;
  }

  #encode(message: LogMessage, into: Buffer, start: number): number {
    let at = start;
    const whole = message.partial === undefined || message.partial.last;
    if (message.line.length > 0 || whole) {
      at += into.write('{"log":"', at, 'latin1');
      at = writeEscaped(message.line, into, at);
      at += into.write(whole ? '\\n","stream":"' : '","stream":"', at, 'latin1');
    } else {
      at += into.write('{"stream":"', at, 'latin1');
    }
    at += into.write(message.stream, at, 'latin1');
    into[at++] = 0x22;
    at += this.#attributes.copy(into, at);
    at += into.write(`,"time":"${utcTime(message)}"}\n`, at, 'latin1');
    return at;
  }

  #isFull(pendingBytes: number): boolean {
    const { maxSizeBytes } = this.#config;
    return maxSizeBytes !== undefined && this.#sizeBytes + pendingBytes >= maxSizeBytes;
  }

  #append(buffer: Buffer, filled: number): void {
    for (let written = 0; written < filled; )
      written += writeSync(this.#fd, buffer, written, filled - written);
    this.#sizeBytes += filled;
  }

  #rotate(): void {
    const { maxFiles, compress } = this.#config;
    if (maxFiles < 2) {
      ftruncateSync(this.#fd, 0);
    } else {
      this.#shift();
      closeSync(this.#fd);
      this.#fd = openSync(this.#path, 'a', 0o640);
      this.#mayBeToCompress = compress;
    }
    this.#sizeBytes = 0;
  }

  async #compressRotated(): Promise<void> {
    this.#mayBeToCompress = false;
    const rotated = `${this.#path}.1`;
    if (statSync(rotated, { throwIfNoEntry: false }) !== undefined) await compressFile(rotated);
  }

  #shift(): void {
    const ending = this.#config.compress ? '.gz' : '';
    const last = this.#config.maxFiles - 1;
    rmSync(`${this.#path}.${last}${ending}`, { force: true });
    for (let number = last - 1; number >= 1; number--) {
      renameIfThere(`${this.#path}.${number}${ending}`, `${this.#path}.${number + 1}${ending}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
  }
}

const bufferBytes = 1 << 18;

/** What was written behind the recorded end was not recorded as delivered: it will be written again. */
function takeBack(path: string, state: Readonly<Record<string, number>>): void {
  const { inode, sizeBytes } = state;
  if (inode === undefined || sizeBytes === undefined) return;
  const current = statSync(path, { throwIfNoEntry: false });
  const wanted = current?.ino === inode ? path : `${path}.1`;
  const found = wanted === path ? current : statSync(wanted, { throwIfNoEntry: false });
  if (found?.ino !== inode) return;
  truncateTo(wanted, found.size, sizeBytes);
  // Begun after the rotation of the recorded one: all of it comes again.
  if (wanted !== path && current !== undefined) truncateTo(path, current.size, 0);
}

function truncateTo(path: string, sizeBytes: number, wantedBytes: number): void {
  if (sizeBytes <= wantedBytes) return;
  const fd = openSync(path, 'r+');
  try {
    ftruncateSync(fd, wantedBytes);
  } finally {
    closeSync(fd);
  }
}

function renameIfThere(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to);
}

async function compressFile(path: string): Promise<void> {
  const packed = await promisify(gzip)(readFileSync(path));
  writeFileSync(`${path}.gz.new`, packed, { mode: 0o640 });
  renameSync(`${path}.gz.new`, `${path}.gz`);
  rmSync(path);
}

function goEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
