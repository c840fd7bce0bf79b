import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  fileDigestService,
  fileSyncHeader,
  smallFilesLimitBytes,
  smallFilesService,
} from '../../api/buildkit/filesync.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import { readPatterns } from '../../build/patterns/ignore.ts';
import { EngineError } from '../../stdx/errors.ts';
import { followLinksIn } from '../../stdx/follow-links.ts';
import { type FileRequest, FileSelection } from './file-selection.ts';
import { sendFiles } from './send-files.ts';
import { SharedWalk } from './shared-walk.ts';
import { walk } from './walk.ts';

/** Directories of this machine, as the daemon asks for them. */
export class OfferedDirectories {
  readonly #directories: ReadonlyMap<string, string>;
  /** A walk that is likely to be asked for. */
  #begun: { key: string; walk: SharedWalk } | undefined;
  readonly #walker: string | undefined;

  /**
   * @param directories by the names that the build has for them
   * @param walker see SharedWalk
   */
  constructor(directories: ReadonlyMap<string, string>, walker?: string) {
    this.#directories = directories;
    this.#walker = walker;
  }

  /**
   * Walks the context whenever there is nothing else to do, so that its digest is there when it is asked for: the daemon
   * has to look for an image and for the Dockerfile's steps first.
   * @param dockerfile name of the Dockerfile in its directory
   */
  begin(dockerfile: string): void {
    try {
      const begun = this.#expected(dockerfile);
      if (begun === undefined) return;
      this.#begun = begun;
      const goOn = () => {
        if (this.#begun === begun && this.#goOn(begun.walk)) setImmediate(goOn);
      };
      setImmediate(goOn);
    } catch {
      // What is wrong is told when the daemon asks.
    }
  }

  /** Nobody will ask any more. */
  end(): void {
    this.#begun?.walk.end();
    this.#begun = undefined;
  }

  async digest(call: GrpcCall): Promise<void> {
    const { root, request } = this.#asked(call);
    const begun = this.#begun?.key === keyOf(root, request) ? this.#begun.walk : undefined;
    if (begun === undefined) this.end();
    this.#begun = undefined;
    const walk = begun ?? this.#walk(root, request);
    try {
      await call.send(fileDigestService.digest.response.encode({ digest: await walk.digest() }));
    } finally {
      walk.end();
    }
  }

  async send(call: GrpcCall): Promise<void> {
    const { root, request } = this.#asked(call);
    await sendFiles(root, walk(root, new FileSelection(root, request)), call);
  }

  async read(call: GrpcCall): Promise<void> {
    const { request, response } = smallFilesService.read;
    for await (const message of call.messages) {
      const files = request.decode(message).files.map(({ directory, name }) => {
        const data = readRegularFile(this.#rootOf(directory), name);
        return data === undefined ? {} : { found: true, data };
      });
      await call.send(response.encode({ files }));
      return;
    }
  }

  /** Of the context; undefined: it is not likely to be asked for. */
  #expected(dockerfile: string): { key: string; walk: SharedWalk } | undefined {
    const root = this.#directories.get('context');
    const place = this.#directories.get('dockerfile');
    if (root === undefined || place === undefined) return undefined;
    const text = readRegularFile(place, dockerfile)?.toString();
    if (text === undefined || !takesFiles(text)) return undefined;
    const ignore =
      readRegularFile(place, `${dockerfile}.dockerignore`) ?? readRegularFile(root, '.dockerignore');
    const request = { include: [], exclude: readPatterns(ignore?.toString() ?? ''), follow: [] };
    return { key: keyOf(root, request), walk: this.#walk(root, request) };
  }

  #walk(root: string, files: FileRequest): SharedWalk {
    return new SharedWalk({ root, files, nowMs: Date.now() }, this.#walker);
  }

  #goOn(walk: SharedWalk): boolean {
    try {
      return walk.goOn();
    } catch {
      // Met again by the walk that is asked for.
      this.end();
      return false;
    }
  }

  #asked(call: GrpcCall): { root: string; request: FileRequest } {
    const [name = ''] = call.metadata.get(fileSyncHeader.directory) ?? [];
    const request = {
      include: patterns(call, fileSyncHeader.include),
      exclude: patterns(call, fileSyncHeader.exclude),
      follow: patterns(call, fileSyncHeader.follow),
    };
    return { root: this.#rootOf(name), request };
  }

  #rootOf(name: string): string {
    const root = this.#directories.get(name);
    if (root === undefined) throw new GrpcError(grpcCode.notFound, `no access allowed to dir "${name}"`);
    return root;
  }
}

/** A guess: instructions over several lines, or heredocs that look like instructions, are not looked at closely. */
function takesFiles(dockerfile: string): boolean {
  return /^[ \t]*(COPY|ADD|RUN[ \t]+--mount=type=bind)\b(?!.*\bfrom=)/im.test(dockerfile);
}

function keyOf(root: string, request: FileRequest): string {
  return JSON.stringify([root, request]);
}

/** Links are followed inside of the directory. @returns undefined: there is none @throws what reading it throws */
function readRegularFile(directory: string, name: string): Buffer | undefined {
  if (name === '' || name.includes('/')) return undefined;
  let file: number;
  try {
    const path = followLinksIn(name, one => linkAt(join(directory, one)));
    if (path === undefined) return undefined;
    file = openSync(join(directory, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return undefined;
    if (stat.size <= smallFilesLimitBytes) return readFileSync(file);
    throw new EngineError('invalid', `${name} has more than ${smallFilesLimitBytes} bytes`);
  } finally {
    closeSync(file);
  }
}

function linkAt(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    ? readlinkSync(path)
    : undefined;
}

/** Patterns that are not ASCII come encoded, and a header beside them says so. */
function patterns({ metadata }: GrpcCall, name: string): string[] {
  const values = metadata.get(name) ?? [];
  if (metadata.get(`${name}-encoded`)?.[0] !== '1') return [...values];
  return values.map(value => decodeURIComponent(value.replaceAll('+', ' ')));
}
