import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { type Digest, digestOf } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { EngineError, kindOf, messageOf } from '../stdx/errors.ts';
import { Authorizer, type Credentials } from './auth.ts';
import type { RegistryCertificates } from './certificates.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Endpoint } from './endpoints.ts';
import { registryError } from './errors.ts';
import { type HttpRequest, type HttpResponse, readBody, type Transport } from './transport.ts';

export interface ManifestContent {
  bytes: Buffer;
  /** As the registry names it; without one, as the manifest itself does. */
  mediaType: string;
  digest: Digest;
}

/** Schema 1 is asked for as well, only to be able to say what the image is. */
const acceptedManifests = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
].join(', ');

/** As large as a manifest may be (distribution: maxManifestBodySize). */
const manifestLimitBytes = 4 << 20;
const errorLimitBytes = 64 << 10;
const listLimitBytes = 32 << 20;

/**
 * One repository in one registry, reached in one way (OCI distribution-spec 1.1). The registry is asked once how it
 * wants to be spoken to, at first use; after that every request carries the token for its scope.
 */
export class Repository {
  /** `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** `library/busybox`. */
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly #transport: Transport;
  readonly #certificates: RegistryCertificates | undefined;
  readonly #credentials: Credentials | undefined;
  readonly #scope: string;
  #connection: Promise<Connection> | undefined;

  constructor(options: {
    transport: Transport;
    endpoint: Endpoint;
    certificates?: RegistryCertificates;
    registry: string;
    name: string;
    access: 'pull' | 'push';
    credentials?: Credentials;
  }) {
    this.#transport = options.transport;
    this.endpoint = options.endpoint;
    this.#certificates = options.certificates;
    this.registry = options.registry;
    this.name = options.name;
    this.#credentials = options.endpoint.mirror ? undefined : options.credentials;
    this.#scope = `repository:${options.name}:${options.access === 'push' ? 'pull,push' : 'pull'}`;
  }

  /**
   * @param reference a tag or a digest.
   * @throws EngineError RegistryError when the registry refuses; `corrupt` when the bytes are not those of the digest.
   */
  async manifest(reference: string, signal: AbortSignal): Promise<ManifestContent> {
    const response = await this.#request(
      'GET',
      `manifests/${reference}`,
      { accept: acceptedManifests },
      signal,
    );
    const bytes = await readBody(await this.#expect(response, [200]), manifestLimitBytes);
    const digest = digestOf(bytes);
    if (reference.startsWith('sha256:') && reference !== digest) {
      throw new EngineError('corrupt', `manifest verification failed for digest ${reference}`);
    }
    return { bytes, digest, mediaType: mediaTypeOf(response, bytes) };
  }

  /** The digest a tag stands for; undefined when the registry does not say or has no such tag. */
  async manifestDigest(reference: string, signal: AbortSignal): Promise<string | undefined> {
    const path = `manifests/${reference}`;
    const response = await this.#request('HEAD', path, { accept: acceptedManifests }, signal).catch(
      async error => {
        if (kindOf(error) !== 'unauthorized') throw error;
        throw prefixed('Head', await this.#url(path, signal), error);
      },
    );
    response.body.resume();
    if (response.status !== 200) return undefined;
    const digest = response.headers['docker-content-digest'];
    return typeof digest === 'string' ? digest : undefined;
  }

  /** @returns the digest by which the registry knows it, which is that of the bytes. */
  async putManifest(
    reference: string,
    mediaType: string,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<Digest> {
    const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
    const response = await this.#request('PUT', `manifests/${reference}`, headers, signal, () => bytes);
    (await this.#expect(response, [201, 202, 200])).body.resume();
    return digestOf(bytes);
  }

  /** All tags, in the registry's order. */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let path: string | undefined = 'tags/list';
    while (path !== undefined) {
      const response: HttpResponse = await this.#expect(await this.#request('GET', path, {}, signal), [200]);
      const body = await readBody(response, listLimitBytes);
      tags.push(...readTags(body));
      const query = nextQuery(response);
      path = query === undefined ? undefined : `tags/list${query}`;
    }
    return tags;
  }

  /** Size of a blob in bytes; undefined when the repository does not have it. */
  async blobSize(digest: Digest, signal: AbortSignal): Promise<number | undefined> {
    const response = await this.#request('HEAD', `blobs/${digest}`, {}, signal);
    response.body.resume();
    if (response.status === 404) return undefined;
    await this.#expect(response, [200]);
    return Number(response.headers['content-length'] ?? 0);
  }

  /**
   * Opens a blob for reading. Nothing is verified: whoever receives the bytes does that.
   * @returns `offset`: where the body really begins, 0 when the registry knows no ranges.
   */
  async blob(
    digest: Digest,
    startAt: number,
    signal: AbortSignal,
  ): Promise<{ body: IncomingMessage; offset: number; totalBytes: number }> {
    const headers: Record<string, string> = startAt > 0 ? { range: `bytes=${startAt}-` } : {};
    const response = await this.#request('GET', `blobs/${digest}`, headers, signal);
    await this.#expect(response, [200, 206]);
    const length = Number(response.headers['content-length'] ?? 0);
    const offset = response.status === 206 ? rangeStart(response.headers['content-range']) : 0;
    return { body: response.body, offset, totalBytes: offset + length };
  }

  /**
   * Asks the registry to take a blob over from another of its repositories.
   * @returns the upload it has opened instead when it does not; undefined when it did.
   */
  async mount(digest: Digest, from: string, signal: AbortSignal): Promise<URL | undefined> {
    const query = new URLSearchParams({ mount: digest, from });
    const scopes = [this.#scope, `repository:${from}:pull`];
    const response = await this.#request(
      'POST',
      `blobs/uploads/?${query}`,
      noBody,
      signal,
      undefined,
      scopes,
    );
    await this.#expect(response, [201, 202]);
    response.body.resume();
    return response.status === 201 ? undefined : locationOf(response);
  }

  async startUpload(signal: AbortSignal): Promise<URL> {
    const response = await this.#expect(await this.#request('POST', 'blobs/uploads/', noBody, signal), [202]);
    response.body.resume();
    return locationOf(response);
  }

  /** Appends to an upload; the chunks are sent once, each before the next is asked for. @returns where it goes on. */
  async appendUpload(upload: URL, body: AsyncGenerator<Buffer>, signal: AbortSignal): Promise<URL> {
    const headers = { 'content-type': 'application/octet-stream' };
    const response = await this.#expect(await this.#requestAt('PATCH', upload, headers, signal, body), [202]);
    response.body.resume();
    return locationOf(response);
  }

  /** Ends an upload, with all of its bytes or, after appendUpload, without any. */
  async finishUpload(
    upload: URL,
    digest: Digest,
    content: { body: Buffer | (() => Readable); sizeBytes: number } | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const url = new URL(upload);
    url.searchParams.set('digest', digest);
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': String(content?.sizeBytes ?? 0),
    };
    const response = await this.#requestAt('PUT', url, headers, signal, content?.body);
    (await this.#expect(response, [201, 204])).body.resume();
  }

  /** Gives an upload up, so that the registry keeps nothing of it. Failing is harmless: registries purge old ones. */
  async cancelUpload(upload: URL): Promise<void> {
    const response = await this.#requestAt('DELETE', upload, {}, AbortSignal.timeout(5_000));
    response.body.resume();
  }

  /** Checks that the registry answers and takes the credentials (`docker login`). */
  async login(signal: AbortSignal): Promise<string> {
    const { base, authorizer } = await this.#connect(signal);
    const url = new URL('v2/', base);
    const identityToken = await authorizer.identityToken(signal);
    const authorization = await authorizer.header([], signal);
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const response = await this.#transport.fetch({ method: 'GET', url, headers, signal, ...this.#tls() });
    (await this.#expect(response, [200])).body.resume();
    return identityToken;
  }

  async #url(path: string, signal: AbortSignal): Promise<URL> {
    const { base } = await this.#connect(signal);
    return new URL(`v2/${this.name}/${path}`, base);
  }

  async #request(
    method: HttpRequest['method'],
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
    body?: () => Buffer,
    scopes: readonly string[] = [this.#scope],
  ): Promise<HttpResponse> {
    const { authorizer } = await this.#connect(signal);
    const url = await this.#url(path, signal);
    for (let attempt = 0; ; attempt++) {
      const authorization = await authorizer.header(scopes, signal);
      const response = await this.#transport.fetch({
        method,
        url,
        headers: authorization === undefined ? headers : { ...headers, authorization },
        body: body?.(),
        signal,
        ...this.#tls(),
      });
      // A token may have ended early, or been taken back; a fresh one is asked for once.
      const retry = response.status === 401 && attempt === 0 && authorizer.forget(scopes);
      if (!retry) return response;
      response.body.resume();
    }
  }

  /** A request to an address the registry has given. Another host is not shown our credentials. */
  async #requestAt(
    method: HttpRequest['method'],
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal,
    body?: Buffer | AsyncGenerator<Buffer> | (() => Readable),
  ): Promise<HttpResponse> {
    const { base, authorizer } = await this.#connect(signal);
    const foreign = url.origin !== base.origin;
    if (foreign && base.protocol === 'https:' && url.protocol !== 'https:') {
      throw new EngineError('unavailable', `refusing an upload without TLS to ${url.origin}`);
    }
    const scopes = [this.#scope];
    const isRepeatable = body === undefined || Buffer.isBuffer(body) || typeof body === 'function';
    for (let attempt = 0; ; attempt++) {
      const authorization = foreign ? undefined : await authorizer.header(scopes, signal);
      const response = await this.#transport.send({
        method,
        url,
        headers: authorization === undefined ? headers : { ...headers, authorization },
        body: typeof body === 'function' ? body() : body,
        signal,
        foreign,
        ...this.#tls(),
      });
      // As in #request. What cannot be sent again is sent anew by whoever made it, with a fresh token.
      const forgotten = response.status === 401 && !foreign && authorizer.forget(scopes);
      if (!forgotten || !isRepeatable || attempt > 0) return response;
      response.body.resume();
    }
  }

  #tls(): Pick<HttpRequest, 'skipTlsVerify' | 'certificates'> {
    return { skipTlsVerify: this.endpoint.skipTlsVerify, certificates: this.#certificates };
  }

  #connect(signal: AbortSignal): Promise<Connection> {
    this.#connection ??= this.#dial(signal).catch(error => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  /** The version check (distribution-spec, end-1) tells scheme and challenges. */
  async #dial(signal: AbortSignal): Promise<Connection> {
    let failure: unknown;
    for (const base of this.endpoint.urls) {
      try {
        return await this.#ping(base, signal);
      } catch (error) {
        if (kindOf(error) === 'cancelled') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #ping(base: URL, signal: AbortSignal): Promise<Connection> {
    const url = new URL('v2/', base);
    const response = await this.#transport.fetch({ method: 'GET', url, signal, ...this.#tls() });
    if (response.status >= 500) throw await this.#refusal(response);
    response.body.resume();
    const challenges: Challenge[] =
      response.status === 401 ? parseChallenges(response.headersDistinct['www-authenticate'] ?? []) : [];
    const authorizer = new Authorizer({
      transport: this.#transport,
      registry: base,
      challenges,
      ...(this.#credentials === undefined ? {} : { credentials: this.#credentials }),
      ...this.#tls(),
    });
    return { base, authorizer };
  }

  async #expect(response: HttpResponse, statuses: readonly number[]): Promise<HttpResponse> {
    if (statuses.includes(response.status)) return response;
    throw await this.#refusal(response);
  }

  async #refusal(response: HttpResponse): Promise<EngineError> {
    const body = await readBody(response, errorLimitBytes);
    return registryError(response, body.toString());
  }
}

interface Connection {
  base: URL;
  authorizer: Authorizer;
}

const noBody = { 'content-length': '0' };

/** As dockerd puts it: `Head "https://…/manifests/latest": no basic auth credentials`. */
function prefixed(verb: string, url: URL, error: unknown): EngineError {
  return new EngineError(kindOf(error), `${verb} "${url}": ${messageOf(error)}`, { cause: error });
}

function mediaTypeOf(response: HttpResponse, bytes: Buffer): string {
  const header = (response.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (
    header !== '' &&
    header !== 'application/json' &&
    header !== 'text/plain' &&
    header !== 'application/octet-stream'
  ) {
    return header;
  }
  try {
    const { mediaType } = JSON.parse(bytes.toString()) as { mediaType?: unknown };
    return typeof mediaType === 'string' ? mediaType : header;
  } catch {
    return header; // No JSON: whoever parses the manifest says so.
  }
}

function readTags(body: Buffer): string[] {
  try {
    const { tags } = JSON.parse(body.toString()) as { tags?: unknown };
    return Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : [];
  } catch (error) {
    throw new EngineError('unavailable', 'the registry sent a list of tags that is no JSON', {
      cause: error,
    });
  }
}

/** RFC 8288: `</v2/a/tags/list?last=x&n=100>; rel="next"`. Only the query is taken from it. */
function nextQuery(response: HttpResponse): string | undefined {
  const { link } = response.headers;
  const target = typeof link === 'string' ? /^\s*<([^>]*)>\s*;.*\brel="?next"?/.exec(link)?.[1] : undefined;
  if (target === undefined || !URL.canParse(target, response.url)) return undefined;
  const query = new URL(target, response.url).search;
  return query === '' || query === response.url.search ? undefined : query;
}

/** `bytes 1000-1999/2000` -> 1000. */
function rangeStart(header: string | undefined): number {
  const match = /^bytes (\d+)-/.exec(header ?? '');
  if (match === null)
    throw new EngineError('unavailable', `the registry sent a partial blob without Content-Range`);
  return Number(match[1]);
}

function locationOf(response: HttpResponse): URL {
  const { location } = response.headers;
  if (location === undefined || !URL.canParse(location, response.url)) {
    throw new EngineError('unavailable', 'the registry gave no Location for the upload');
  }
  return new URL(location, response.url);
}
