import { once } from 'node:events';
import { createReadStream, createWriteStream, renameSync, rmSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { LineSplitter } from '../client/client.ts';
import type { ChunkSink, HttpResponse } from '../client/http-connection.ts';
import { parseJson } from '../client/json.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import type { Session } from './session.ts';

/** Opens a file for upload. Opening it first makes "no such file" an error of its own, not of the upload. */
export async function fileStream(path: string): Promise<Readable> {
  try {
    const handle = await open(path);
    return createReadStream('', { fd: handle, highWaterMark: 1 << 18 });
  } catch (error) {
    throw new EngineError('invalid', `open ${path}: ${plainReason(error)}`, { cause: error });
  }
}

/**
 * Writes a download to a file or, without one, to stdout. A file is there only when it is whole.
 * @throws invalid when stdout is a terminal
 */
export async function fileOrOutput(
  session: Session,
  path: string,
  download: (sink: ChunkSink) => Promise<void>,
): Promise<void> {
  if (path === '') {
    if (session.out.isTerminal) {
      throw new EngineError(
        'invalid',
        'cowardly refusing to save to a terminal. Use the -o flag or redirect',
      );
    }
    await download(chunk => session.out.write(chunk));
    return;
  }
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (folder === undefined) {
    throw new EngineError(
      'invalid',
      `failed to save image: invalid output path: stat ${dirname(path)}: no such file or directory`,
    );
  }
  const aside = `${path}.part-${process.pid}`;
  const file = createWriteStream(aside, { mode: 0o600 });
  try {
    await once(file, 'open');
    await download(chunk => (file.write(chunk) ? undefined : once(file, 'drain').then(() => {})));
    file.end();
    await once(file, 'close');
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

/** A response that is a stream of JSON lines, or plain text when the daemon has nothing to report on. */
export async function jsonMessages<T>(
  response: HttpResponse,
  onMessage: (message: T) => void,
): Promise<void> {
  const lines = new LineSplitter(line => onMessage(parseJson(line) as T));
  await response.consume(chunk => lines.push(chunk));
  lines.end();
}

/** `ENOENT: no such file or directory, open 'x'` -> `no such file or directory`, in libc's words where Node has its own. */
export function plainReason(error: unknown): string {
  return messageOf(error)
    .replace(/^E[A-Z0-9]+: /, '')
    .replace(/, \w+( '.*')?$/, '')
    .replace('illegal operation on a directory', 'is a directory');
}
