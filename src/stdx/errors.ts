/**
 * The one error type that crosses rooms. A kind says what the caller can do about it, never where it came
 * from; server/status.ts maps kinds to HTTP statuses in one table.
 *
 * Messages read outside-in and are made for the person who typed the command:
 * `starting container "web": publishing 8080/tcp: port is already allocated`.
 */
export type ErrorKind =
  /** The request itself is wrong; asking again changes nothing. */
  | 'invalid'
  /** The named thing does not exist. */
  | 'notFound'
  /** The thing exists already, is in use, or is in a state that forbids this. */
  | 'conflict'
  /** The thing is in the wanted state already (Docker answers 304). */
  | 'notModified'
  /** Credentials are missing or wrong. */
  | 'unauthorized'
  /** Credentials are fine, but this is not allowed. */
  | 'forbidden'
  /** A flag or feature that is not supported; the message names it. */
  | 'notImplemented'
  /** Somebody else (a registry, a name server) is down or answers nonsense; trying later may help. */
  | 'unavailable'
  /** The caller went away or asked to stop. */
  | 'cancelled'
  /** Disk, memory, addresses or ports have run out. */
  | 'exhausted'
  /** Content does not match its digest. */
  | 'corrupt'
  /** A fault of the engine or of the host. */
  | 'internal';

export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** The kind of any thrown value: EngineErrors say theirs, errno codes are read, the rest is `internal`. */
export function kindOf(error: unknown): ErrorKind {
  if (error instanceof EngineError) return error.kind;
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled';
  switch (errnoOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return 'exhausted';
    default:
      return 'internal';
  }
}

/** Puts what was being done in front of an error's message, keeping its kind and cause. */
export function within(doing: string, error: unknown): EngineError {
  return new EngineError(kindOf(error), `${doing}: ${messageOf(error)}`, { cause: error });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * As `messageOf`, and what Node says of a system error in the words of everybody else's programs:
 * `open /proc/x: no such file or directory` for `ENOENT: no such file or directory, open '/proc/x'`.
 */
export function systemMessageOf(error: unknown): string {
  const message = messageOf(error);
  const match = /^E[A-Z0-9]+: (.+?), (\w+)(?: '(.*?)'(?: -> '.*')?)?$/s.exec(message);
  if (errnoOf(error) === undefined || match === null) return message;
  const [, said, call, path] = match;
  const reason = said === 'file already exists' ? 'file exists' : said;
  return `${path === undefined ? call : `${call} ${path}`}: ${reason}`;
}

/** The errno name (`ENOENT`) of a system error, if it is one. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
