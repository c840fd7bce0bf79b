import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import { Glob, hasWildcard } from '../patterns/glob.ts';
import { IgnoreRules } from '../patterns/ignore.ts';
import { type FoundSource, readSourcePath } from './copy-plan.ts';
import type { DirectoryAbove } from './prepared-source.ts';

export interface SourceOptions {
  /** COPY or ADD, for messages. */
  kind: string;
  parents: boolean;
  /** `..` at the top leads nowhere, instead of being refused. */
  stopsAtTop: boolean;
  /** From the build context, not from an image or stage. */
  fromContext: boolean;
}

/** The sources that a word of COPY names, wildcards resolved, sorted. @throws EngineError `notFound`, `forbidden` */
export async function findSources(
  root: ConfinedRoot,
  written: string,
  options: SourceOptions,
): Promise<FoundSource[]> {
  const { path, dropped } = readSourcePath(options.kind, written, options);
  const paths = hasWildcard(path) ? await expandWildcards(root, path, options) : [path];
  return Promise.all(
    paths.map(async found => {
      const stat = await root.stat(found, { follow: true });
      if (stat === undefined) throw missing(written, options);
      const kept = options.parents
        ? {
            kept: found
              .split('/')
              .slice(dropped + 1)
              .join('/'),
          }
        : {};
      return { path: found, isDirectory: stat.type === 'directory', ...kept };
    }),
  );
}

/** The directories that --parents keeps: those above a source, and itself when it is one. Outermost first. */
export async function directoriesAbove(
  root: ConfinedRoot,
  { path, kept, isDirectory }: FoundSource,
): Promise<DirectoryAbove[] | undefined> {
  if (kept === undefined) return undefined;
  const elements = kept.split('/').filter(element => element !== '');
  const base = path.slice(0, path.length - kept.length);
  const count = isDirectory ? elements.length : elements.length - 1;
  const above: DirectoryAbove[] = [];
  for (let depth = 1; depth <= count; depth++) {
    const name = elements.slice(0, depth).join('/');
    const stat = await root.stat(base + name, { follow: true });
    if (stat === undefined) continue;
    const { permissions, uid, gid } = stat;
    above.push({ path: name, permissions, uid, gid });
  }
  return above;
}

/** What of a directory is copied: undefined for all of it, else the entries --exclude leaves. */
export async function includedEntries(
  root: ConfinedRoot,
  source: FoundSource,
  exclude: readonly string[],
): Promise<string[] | undefined> {
  if (exclude.length === 0 || !source.isDirectory) return undefined;
  const rules = new IgnoreRules(exclude);
  const entries = await root.list(source.path, { recursive: true });
  const kept = entries.filter(entry => !rules.ignores(entry.path)).map(entry => entry.path);
  // A directory that is left out still leads to what an exception keeps below it.
  const all = new Set(kept);
  for (const path of kept)
    for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent)) all.add(parent);
  return [...all].sort();
}

/** Whether --exclude leaves out a source that is a file. */
export function isExcluded(source: FoundSource, exclude: readonly string[]): boolean {
  if (source.isDirectory || exclude.length === 0) return false;
  const rules = new IgnoreRules(exclude);
  return rules.ignores(source.path.slice(1)) || rules.ignores(posix.basename(source.path));
}

/** Go's filepath.Glob inside the root, one directory at a time; with --parents `**` spans directories too. */
async function expandWildcards(
  root: ConfinedRoot,
  pattern: string,
  options: SourceOptions,
): Promise<string[]> {
  const segments = pattern.split('/');
  const first = segments.findIndex(hasWildcard);
  const start = segments.slice(0, first).join('/');
  if (start !== '' && (await root.stat(start, { follow: true })) === undefined) throw missing(start, options);
  let found = [start];
  for (const [index, segment] of segments.entries()) {
    if (index < first) continue;
    // Links lead on up to the first wildcard; of those that a wildcard finds none does.
    const follow = index === first;
    if (options.parents && segment.includes('**')) {
      const rest = new Glob(segments.slice(index).join('/'), { doubleStar: true });
      const below = await Promise.all(
        found.map(directory => listBelow(root, directory, rest, { recursive: true, follow })),
      );
      return below.flat().sort();
    }
    const glob = new Glob(segment, { doubleStar: false });
    const below = await Promise.all(
      found.map(directory => listBelow(root, directory, glob, { recursive: false, follow })),
    );
    found = below.flat();
  }
  return found.sort();
}

async function listBelow(
  root: ConfinedRoot,
  directory: string,
  glob: Glob,
  { recursive, follow }: { recursive: boolean; follow: boolean },
): Promise<string[]> {
  const path = directory === '' ? '/' : directory;
  const stat = await root.stat(path, { follow });
  if (stat?.type !== 'directory') return [];
  const entries = await root.list(follow ? await root.resolve(path) : path, { recursive });
  return entries.filter(entry => glob.matches(entry.path)).map(entry => `${directory}/${entry.path}`);
}

function missing(written: string, { kind, fromContext }: SourceOptions): EngineError {
  const where = fromContext ? 'file not found in build context or excluded by .dockerignore: ' : '';
  const name = written.replace(/^\/+/, '');
  return new EngineError('notFound', `${kind} failed: ${where}stat ${name}: file does not exist`);
}
