import { frameHeaderBytes, writeFrameHeader } from '../api/frames.ts';
import type { LogEntries } from '../engine/engine.ts';

export interface LogEncoding {
  /** Without a terminal both streams share the connection in frames. */
  frames: 'none' | 'per-line' | 'per-stream';
  /** What is put before each entry; undefined: nothing. */
  prefix: ((entries: LogEntries, index: number) => string) | undefined;
}

/**
 * Entries of a log as one buffer, as half a million lines are no rarity and a buffer for each costs seconds. Usually
 * every entry is a frame of its own, as dockerd sends them: some clients take a frame for a line. `per-stream` puts
 * all that follows each other in the same stream into one, for clients that copy frames to their outputs; a frame a
 * line costs those a system call each.
 *
 * @param memory what is returned lies in it
 */
export function encodeLogs(
  entries: LogEntries,
  encoding: LogEncoding,
  memory = new EncodingMemory(),
): Buffer {
  const { frames, prefix } = encoding;
  const leads = prefix === undefined ? undefined : leadsOf(entries, prefix);
  const encoded = memory.ofAtLeast(sizeOf(entries, frames === 'none' ? 0 : frameHeaderBytes, leads));
  let at = 0;
  let header = 0;
  for (let index = 0; index < entries.length; index++) {
    if (frames !== 'none' && (index === 0 || frames === 'per-line' || turns(entries, index))) {
      header = at;
      at += frameHeaderBytes;
    }
    const lead = leads?.[index];
    if (lead !== undefined) at += lead.copy(encoded, at);
    at += entries.data.copy(encoded, at, entries.textStart(index), entries.textEnd(index));
    if (frames === 'none') continue;
    if (index + 1 === entries.length || frames === 'per-line' || turns(entries, index + 1)) {
      writeFrameHeader(encoded, header, entries.stream(index), at - header - frameHeaderBytes);
    }
  }
  return encoded.subarray(0, at);
}

/** Memory that is used again for the next piece; new memory each time would keep the garbage collector busy. */
export class EncodingMemory {
  #buffer: Buffer = Buffer.alloc(0);

  ofAtLeast(sizeBytes: number): Buffer {
    if (this.#buffer.length < sizeBytes) this.#buffer = Buffer.allocUnsafeSlow(sizeBytes);
    return this.#buffer;
  }
}

/** Whether the entry is of another stream than the one before. */
function turns(entries: LogEntries, index: number): boolean {
  return entries.isStderr(index) !== entries.isStderr(index - 1);
}

function leadsOf(entries: LogEntries, prefix: (entries: LogEntries, index: number) => string): Buffer[] {
  return Array.from({ length: entries.length }, (_, index) => Buffer.from(prefix(entries, index)));
}

/** At most. */
function sizeOf(entries: LogEntries, headerBytes: number, leads: Buffer[] | undefined): number {
  let sizeBytes = entries.length * headerBytes;
  for (let index = 0; index < entries.length; index++) {
    sizeBytes += entries.textEnd(index) - entries.textStart(index) + (leads?.[index]?.length ?? 0);
  }
  return sizeBytes;
}
