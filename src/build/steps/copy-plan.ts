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
 * Where everything goes, by Docker's rules: a directory's content goes into the destination; a file goes into it
 * when it is written with a slash at its end, is a directory already or takes several sources, else becomes it.
 * @param written the destination as expanded, relative to the working directory.
 * @throws EngineError `invalid`
 */
export function planMoves(
  kind: string,
  sources: readonly FoundSource[],
  written: string,
  workingDirectory: string,
  destinationIsDirectory: boolean,
): CopyMove[] {
  const destination = posix.resolve('/', workingDirectory, written);
  const asDirectory = namesDirectory(written);
  if (sources.length > 1 && !asDirectory) {
    const message = `When using ${kind} with more than one source file, the destination must be a directory and end with a /`;
    throw new EngineError('invalid', message);
  }
  const intoDirectory = asDirectory || destinationIsDirectory;
  return sources.map(source => {
    const { path } = source;
    if (source.kept !== undefined) {
      const target = posix.join(destination, source.kept);
      return { source: path, isDirectory: source.isDirectory, destination: target };
    }
    if (source.isDirectory) return { source: path, isDirectory: true, destination };
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
 * @throws EngineError `forbidden` when it climbs out
 */
export function readSourcePath(kind: string, written: string): { path: string; dropped: number } {
  const relative = cleanPath(written.replace(/^\/+/, '') || '.');
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
