import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Call } from './call.ts';

/** Answers with a tar; a failure on the way cuts the connection, so that nobody takes a part for the whole. */
export async function sendTar(call: Call, tar: Readable): Promise<void> {
  call.response.writeHead(200, { 'Content-Type': 'application/x-tar' });
  await pipeline(tar, call.response);
}
