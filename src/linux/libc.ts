import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';
import { EngineError, type ErrorKind } from '../stdx/errors.ts';

/**
 * The one door to libc. `libc<Args>('int chroot(const char *path)')` gives a function that calls it, retries on
 * EINTR and throws a SystemError when it returns -1. The first argument of every call is what the error message
 * shall name (a path, an id, '' for nothing). A function is looked up in libc on its first call, so importing a
 * file of linux/ costs nothing for what it declares.
 *
 * Strings go out as UTF-8; a Buffer must end with a zero byte: send paths through `cPath`.
 */
export function libc<Args extends unknown[]>(prototype: string): (detail: string, ...args: Args) => number {
  const name = nameOf(prototype);
  const raw = libcRaw<Args>(prototype);
  return (detail, ...args) => call(name, detail, () => raw(...args));
}

/** As `libc`, without the error handling: for functions that report failure in another way. */
export function libcRaw<Args extends unknown[]>(prototype: string): (...args: Args) => number {
  let resolved: ((...args: Args) => number) | undefined;
  return (...args) => {
    resolved ??= loadLibc().func(prototype) as unknown as (...args: Args) => number;
    return resolved(...args);
  };
}

/**
 * As `libcRaw`, in a thread of libuv's, for calls that take long. errno stays in that thread. What it is given must not be
 * changed before it has returned.
 */
export function libcAside<Args extends unknown[]>(prototype: string): (...args: Args) => Promise<number> {
  let resolved: ReturnType<ReturnType<typeof loadLibc>['func']> | undefined;
  return (...args) => {
    resolved ??= loadLibc().func(prototype);
    const { promise, resolve } = Promise.withResolvers<number>();
    // koffi calls back outside of Node's callback scope, where promises wait for whatever happens next: see poll.ts.
    resolved.async(...args, (_error: unknown, result: number) => setImmediate(resolve, result));
    return promise;
  };
}

/**
 * A system call by number, for what libc has no wrapper for. Numbers from 424 on are the same on every
 * architecture, and only such ones are used here.
 * @param args C types of its arguments.
 */
export function syscall<Args extends unknown[]>(
  name: string,
  number: number,
  args: string,
): (detail: string, ...args: Args) => number {
  const raw = libcRaw<[number, ...Args]>(`long syscall(long number, ${args})`);
  return (detail, ...given) => call(name, detail, () => raw(number, ...given));
}

/** Runs a call that returns -1 and sets errno on failure; retries EINTR. @throws SystemError */
export function call(name: string, detail: string, work: () => number): number {
  for (;;) {
    const result = work();
    if (result !== -1) return result;
    // Nothing may come between the call and this line: errno belongs to the thread, and V8 uses it too.
    const error = koffi.errno();
    if (error !== EINTR) throw new SystemError(error, name, detail);
  }
}

/** A failed system call. `code` is errno's name as Node writes it (`ENOENT`), so `errnoOf` and `kindOf` read it. */
export class SystemError extends EngineError {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  /** What errno means, in libc's words. */
  readonly reason: string;

  constructor(errno: number, name: string, detail: string) {
    const [code, text] = describe(errno);
    super(kindOfErrno(code), `${name}${detail === '' ? '' : ` ${detail}`}: ${text} (${code})`);
    this.code = code;
    this.errno = errno;
    this.syscall = name;
    this.reason = text;
  }
}

/**
 * A path as libc takes it. Buffers serve names that are not UTF-8.
 * @throws SystemError EINVAL for a path with a zero byte inside, which C would silently cut there.
 */
export function cPath(path: string | Buffer): string | Buffer {
  if (!path.includes('\0')) return typeof path === 'string' ? path : Buffer.concat([path, Buffer.alloc(1)]);
  throw new SystemError(koffi.os.errno['EINVAL']!, 'path', JSON.stringify(path.toString()));
}

/** A path for an error message. */
export function shown(path: string | Buffer): string {
  return path.toString();
}

const EINTR = 4;

let library: ReturnType<typeof koffi.load> | undefined;

function loadLibc(): ReturnType<typeof koffi.load> {
  library ??= koffi.load('libc.so.6');
  return library;
}

function nameOf(prototype: string): string {
  return /(\w+)\s*\(/.exec(prototype)?.[1] ?? prototype;
}

function kindOfErrno(code: string): ErrorKind {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return 'exhausted';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'forbidden';
    default:
      return 'internal';
  }
}

/** Node's own table first, so that codes are spelled as fs errors spell them; it lacks some (ESTALE, EUCLEAN). */
function describe(errno: number): readonly [code: string, text: string] {
  const known = getSystemErrorMap().get(-errno);
  if (known !== undefined) return known;
  const code = Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0];
  return [code ?? `errno ${errno}`, 'system call failed'];
}
