import { EngineError, type ErrorKind } from '../stdx/errors.ts';
import { parseChallenges } from './challenge.ts';
import { familiarName, familiarText, type Reference } from './reference.ts';
import type { HttpResponse } from './transport.ts';

/** A registry said no. `code` is the distribution protocol's (`MANIFEST_UNKNOWN`, `DENIED`), when it gave one. */
export class RegistryError extends EngineError {
  readonly code: string | undefined;
  readonly status: number;

  constructor(kind: ErrorKind, message: string, status: number, code?: string) {
    super(kind, message);
    this.status = status;
    this.code = code;
  }
}

/** What distribution's Go client makes of an answer that is an error (registry/client/errors.go), word for word. */
export function registryError(response: HttpResponse, body: string): RegistryError {
  const { status } = response;
  if (status < 400 || status >= 500) {
    return new RegistryError(
      'unavailable',
      `received unexpected HTTP status: ${statusText(response)}`,
      status,
    );
  }
  const errors = [...challengeErrors(response), ...bodyErrors(body, status)];
  const first = errors[0];
  if (first === undefined && status === 401) {
    return new RegistryError('unauthorized', wordsOf(unauthorized), status, unauthorized.code);
  }
  if (first === undefined) {
    const reason = parseFailure(body);
    const message = `error parsing HTTP ${status} response body: ${reason}: ${JSON.stringify(body.slice(0, 1024))}`;
    return new RegistryError(kindOfStatus(status), message, status);
  }
  const message =
    errors.length === 1 ? wordsOf(first) : `errors:\n${errors.map(error => `${wordsOf(error)}\n`).join('')}`;
  return new RegistryError(kindOfStatus(status), message, status, first.code);
}

/** How dockerd words a failed pull (distribution/errors.go, translatePullError). */
export function pullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const said = firstOf(error.message);
  switch (error.code) {
    case 'DENIED':
      return new EngineError(
        'notFound',
        `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${said}`,
        { cause: error },
      );
    case 'MANIFEST_UNKNOWN':
      return new EngineError('notFound', `manifest for ${familiarText(reference)} not found: ${said}`, {
        cause: error,
      });
    case 'NAME_UNKNOWN':
      return new EngineError('notFound', `repository ${familiarName(reference)} not found: ${said}`, {
        cause: error,
      });
    default:
      return error;
  }
}

interface CodedError {
  code: string;
  message: string;
}

const unauthorized: CodedError = { code: 'UNAUTHORIZED', message: 'authentication required' };
const denied: CodedError = { code: 'DENIED', message: 'requested access to the resource is denied' };

/** What the protocol's codes mean when a registry gives no message (registry/api/errcode, api/v2/errors.go). */
const messagesByCode: Record<string, string> = {
  UNAUTHORIZED: unauthorized.message,
  DENIED: denied.message,
  MANIFEST_UNKNOWN: 'manifest unknown',
  NAME_UNKNOWN: 'repository name not known to registry',
  BLOB_UNKNOWN: 'blob unknown to registry',
  TOOMANYREQUESTS: 'too many requests',
  UNSUPPORTED: 'The operation is unsupported.',
  UNKNOWN: 'unknown error',
};

/** RFC 6750, section 3.1: a bearer challenge may say what was wrong with the token that was sent. */
function challengeErrors(response: HttpResponse): CodedError[] {
  for (const { scheme, parameters } of parseChallenges(response.headersDistinct['www-authenticate'] ?? [])) {
    if (scheme !== 'bearer') continue;
    const known = { invalid_token: unauthorized, insufficient_scope: denied }[parameters['error'] ?? ''];
    if (known === undefined) continue;
    return [{ code: known.code, message: parameters['error_description'] || known.message }];
  }
  return [];
}

function bodyErrors(body: string, status: number): CodedError[] {
  const parsed = parseJson(body) as { errors?: unknown; details?: unknown } | null | undefined;
  if (parsed === null || typeof parsed !== 'object') return [];
  if (typeof parsed.details === 'string' && parsed.details !== '') {
    const code = { 401: 'UNAUTHORIZED', 429: 'TOOMANYREQUESTS' }[status] ?? 'UNKNOWN';
    return [{ code, message: parsed.details }];
  }
  if (!Array.isArray(parsed.errors)) return [];
  return parsed.errors.flatMap((entry: unknown) => {
    const { code, message } = (entry ?? {}) as { code?: unknown; message?: unknown };
    if (typeof code !== 'string') return [];
    return [
      {
        code,
        message: typeof message === 'string' && message !== '' ? message : (messagesByCode[code] ?? ''),
      },
    ];
  });
}

function parseFailure(body: string): string {
  if (body === '') return 'unexpected end of JSON input';
  if (parseJson(body) !== undefined) return 'no error details found in HTTP response body';
  return `invalid character ${goQuotedRune(body.trimStart())} looking for beginning of value`;
}

function goQuotedRune(text: string): string {
  return `'${[...text][0] ?? ''}'`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The caller words this: a body that is no JSON is an answer like any other.
  }
}

function wordsOf(error: CodedError): string {
  return `${error.code.toLowerCase().replaceAll('_', ' ')}: ${error.message}`;
}

function firstOf(message: string): string {
  return message.startsWith('errors:\n') ? message.split('\n')[1]! : message;
}

function statusText(response: HttpResponse): string {
  return `${response.status} ${response.statusText}`.trim();
}

function kindOfStatus(status: number): ErrorKind {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'notFound';
    case 429:
      return 'unavailable';
    default:
      return 'invalid';
  }
}
