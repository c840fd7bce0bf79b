import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import { cleanPath } from '../patterns/ignore.ts';

/** A source after wildcards, as it is found. */
export interface FoundSource {
  /** Absolute, in the root it comes from. */
  path: string;
  isDirectory: boolean;
  /** With --parents: what of its path is kept below the destination. */
  kept?: string;
}

/** One thing to copy: a file to its new path, or a directory's content into a directory. */
export interface CopyMove {
  source: string;
  isDirectory: boolean;
  destination: string;
}

/**
 * Where everything goes, by BuildKit's rules, one source after the other: a directory's content goes into the
 * destination; a file goes into it when it is written with a slash at its end or is a directory, else becomes it.
 * @param written the destination as expanded, relative to the working directory.
 */
export function planMoves(
  sources: readonly (FoundSource & { isUnpacked?: boolean })[],
  written: string,
  workingDirectory: string,
  destinationIsDirectory: boolean,
): CopyMove[] {
  const destination = posix.resolve('/', workingDirectory, written);
  let intoDirectory = namesDirectory(written) || destinationIsDirectory;
  return sources.map(source => {
    const { path } = source;
    if (source.kept !== undefined) {
      const target = posix.join(destination, source.kept);
      return { source: path, isDirectory: source.isDirectory, destination: target };
    }
    if (source.isDirectory) {
      // It is there for the sources after this one.
      intoDirectory = true;
      return { source: path, isDirectory: true, destination };
    }
    // What an archive holds goes there, and makes a directory of it.
    if (source.isUnpacked) intoDirectory = true;
    const target = intoDirectory ? posix.join(destination, posix.basename(path)) : destination;
    return { source: path, isDirectory: false, destination: target };
  });
}

/** A destination that is a directory by the way it is written: `x/`, `.`, `..` */
export function namesDirectory(written: string): boolean {
  return /(^|\/)\.?\.?$/.test(written);
}

/**
 * A source as written, made absolute in its root. `/./` marks where --parents begins to keep the path: so many
 * elements are dropped.
 * @param options.stopsAtTop `..` leads no further up than to the top.
 * @throws EngineError `forbidden` when it climbs out
 */
export function readSourcePath(
  kind: string,
  written: string,
  { stopsAtTop = false } = {},
): { path: string; dropped: number } {
  const relative = stopsAtTop
    ? cleanPath(`/${written}`).slice(1) || '.'
    : cleanPath(written.replace(/^\/+/, '') || '.');
  if (relative === '..' || relative.startsWith('../'))
    throw new EngineError(
      'forbidden',
      `${kind} failed: forbidden path outside the build context: ${written} ()`,
    );
  const pivot = written.indexOf('/./');
  const before = pivot < 0 ? '' : cleanPath(`/${written.slice(0, pivot)}`);
  const dropped = before.split('/').filter(element => element !== '').length;
  return { path: relative === '.' ? '/' : `/${relative}`, dropped };
}
