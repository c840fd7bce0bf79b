import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Duplex, Readable } from 'node:stream';
import { createDecompressor, detectCompression } from '../../archive/compression.ts';

const blockBytes = 512;
const chunkBytes = 256 * 1024;

/** Whether ADD unpacks a local file: a tar, plain or compressed. Like Docker, the content decides, not the name. */
export async function isArchive(file: string): Promise<boolean> {
  const head = await readHead(file);
  const compression = detectCompression(head);
  if (compression === 'none') return isTarHeader(head);
  return isTarHeader(await firstBlock(createReadStream(file), createDecompressor(compression)));
}

/** Its bytes as they are. */
export function openArchive(file: string): Readable {
  return createReadStream(file, { highWaterMark: chunkBytes });
}

async function readHead(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(blockBytes), 0, blockBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The first block of what is inside; shorter when it is not compressed after all. */
async function firstBlock(source: Readable, decompress: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    source.on('error', error => decompress.emit('error', error));
    for await (const chunk of source.pipe(decompress)) {
      chunks.push(chunk as Buffer);
      bytes += chunk.length;
      if (bytes >= blockBytes) break;
    }
  } catch {
    // Broken data is no archive: Docker copies such a file as it is.
    return Buffer.alloc(0);
  } finally {
    source.destroy();
    decompress.destroy();
  }
  return Buffer.concat(chunks).subarray(0, blockBytes);
}

/** POSIX ustar header: the octal number at 148..155 is the sum of all bytes, itself taken as spaces. */
function isTarHeader(block: Buffer): boolean {
  if (block.length < blockBytes) return false;
  const written = Number.parseInt(
    block
      .subarray(148, 156)
      .toString('latin1')
      .replace(/[\0 ]+/g, ' ')
      .trim(),
    8,
  );
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) sum += at >= 148 && at < 156 ? 32 : block[at]!;
  return written === sum && sum !== 8 * 32;
}
