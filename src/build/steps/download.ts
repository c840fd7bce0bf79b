import { createHash } from 'node:crypto';
import { open, utimes } from 'node:fs/promises';
import { basename } from 'node:path';
import { EngineError, messageOf, within } from '../../stdx/errors.ts';
import { type FetchOptions, fetchUrl, isHttp } from '../fetch-url.ts';

/** Whether ADD fetches a source instead of copying it; git repositories are not meant. */
export function isRemote(source: string): boolean {
  return isHttp(source);
}

export interface DownloadOptions extends FetchOptions {
  /** `sha256:...`, or `sha384:`, `sha512:`, the content must have. */
  checksum?: string;
  nameNeeded: boolean;
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
  const digest = await fetchInto(url, file, algorithm, options);
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

async function fetchInto(
  url: string,
  file: string,
  algorithm: string,
  options: FetchOptions,
): Promise<string> {
  const { signal } = options;
  const response = await fetchUrl(url, options).catch(error => {
    signal.throwIfAborted();
    throw within('ADD failed', error);
  });
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
