import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { EngineError, messageOf } from '../stdx/errors.ts';

/** What a URL leads to (`docker import URL`, `docker build URL`). @throws EngineError `invalid`, `unavailable` */
export async function fetchBody(url: string, signal: AbortSignal): Promise<Readable> {
  if (!/^https?:\/\//.test(url))
    throw new EngineError('invalid', `unsupported URL "${url}": want http or https`);
  let answer: Response;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new EngineError('unavailable', `failed to download ${url}: ${messageOf(reason)}`, { cause: error });
  }
  if (!answer.ok || answer.body === null) {
    throw new EngineError('unavailable', `failed to download ${url}: ${answer.status} ${answer.statusText}`);
  }
  return Readable.fromWeb(answer.body as ReadableStream);
}
