import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Call } from './call.ts';

/**
 * Answers with a tar. What fails before there is anything to send is an answer with an error; a failure on the way cuts
 * the connection, so that nobody takes a part for the whole.
 */
export async function sendTar(call: Call, tar: Readable, contentType = 'application/x-tar'): Promise<void> {
  await once(tar, 'readable');
  call.response.writeHead(200, { 'Content-Type': contentType });
  await pipeline(tar, call.response);
}
