import { createHash } from 'node:crypto';
import { open, utimes } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { basename } from 'node:path';
import { EngineError, messageOf } from '../../stdx/errors.ts';

/** Whether ADD fetches a source instead of copying it; git repositories are not meant. */
export function isRemote(source: string): boolean {
  return /^https?:\/\//.test(source);
}

export interface DownloadOptions {
  /** `sha256:...`, or `sha384:`, `sha512:`, the content must have. */
  checksum?: string;
  nameNeeded: boolean;
  signal: AbortSignal;
}

/** ADD of a URL: fetches it into a new file. @returns the name it has in the URL, and its content's digest */
export async function download(
  url: string,
  file: string,
  options: DownloadOptions,
): Promise<{ name: string; digest: string }> {
  if (!URL.canParse(url)) throw new EngineError('invalid', `ADD failed: invalid URL: ${url}`);
  const { checksum } = options;
  const algorithm = checksum === undefined ? 'sha256' : algorithmOf(checksum);
  const name = nameIn(url);
  if (name === undefined && options.nameNeeded)
    throw new EngineError('invalid', `cannot determine filename from url: ${url}`);
  const digest = await fetchInto(url, file, algorithm, options.signal);
  if (checksum !== undefined && digest !== checksum)
    throw new EngineError('corrupt', `ADD failed: digest mismatch ${digest}: ${checksum}`);
  return { name: name ?? 'download', digest };
}

/** The last element of the path; undefined when the path names a directory. */
function nameIn(url: string): string | undefined {
  const { pathname } = new URL(url);
  const name = pathname.endsWith('/') ? '' : basename(pathname);
  let decoded: string;
  try {
    decoded = decodeURIComponent(name);
  } catch {
    // A stray percent sign is part of the name.
    decoded = name;
  }
  return decoded === '' || decoded === '.' || decoded === '..' || /[/\0]/.test(decoded) ? undefined : decoded;
}

/** Hex digits by algorithm (OCI image-spec, descriptor.md, and Go's sha384). */
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

function algorithmOf(checksum: string): string {
  const [, algorithm = '', hex = ''] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(checksum) ?? [];
  if (digestLengths[algorithm] !== hex.length || hex === '')
    throw new EngineError('invalid', `invalid checksum digest format: ${checksum}`);
  return algorithm;
}

async function fetchInto(url: string, file: string, algorithm: string, signal: AbortSignal): Promise<string> {
  const response = await request(url, signal);
  const hash = createHash(algorithm);
  const handle = await open(file, 'wx', 0o600);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new EngineError('unavailable', `ADD failed: reading ${url}: ${messageOf(error)}`, { cause: error });
  } finally {
    await handle.close();
  }
  // As old as the server says; the same for everybody who fetches it.
  const modified = new Date(response.headers['last-modified'] ?? 0);
  const time = Number.isNaN(modified.getTime()) ? new Date(0) : modified;
  await utimes(file, time, time);
  return `${algorithm}:${hash.digest('hex')}`;
}

const maxRedirects = 10;

/** A GET, redirects followed. fetch() would refuse some ports, and URLs with a password in them. */
async function request(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  let at = new URL(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await get(at, signal).catch(error => {
      signal.throwIfAborted();
      const reason = error instanceof AggregateError ? error.errors[0] : error;
      throw new EngineError('unavailable', `ADD failed: Get "${url}": ${messageOf(reason)}`, {
        cause: error,
      });
    });
    const { statusCode = 0, statusMessage = '', headers } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    response.resume();
    if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) {
      const message = `ADD failed: failed to GET ${url} with status ${`${statusCode} ${statusMessage}`.trim()}`;
      throw new EngineError(statusCode >= 500 ? 'unavailable' : 'notFound', message);
    }
    const next = URL.canParse(headers.location, at) ? new URL(headers.location, at) : undefined;
    if (next === undefined || !isRemote(next.href))
      throw new EngineError('unavailable', `ADD failed: Get "${url}": it leads to ${headers.location}`);
    at = next;
  }
  throw new EngineError('unavailable', `ADD failed: Get "${url}": stopped after ${maxRedirects} redirects`);
}

/** Longest silence of a server. */
const silenceMs = 300_000;

function get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const asked = start(url, { signal, headers: { 'user-agent': 'gantry' } });
  asked.on('response', resolve);
  asked.on('error', reject);
  asked.setTimeout(silenceMs, () => asked.destroy(new Error('i/o timeout')));
  asked.end();
  return promise;
}
