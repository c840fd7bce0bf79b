import { readFileSync } from 'node:fs';
import { type Loaded, type LoadOptions, loadProject } from '../../compose/load/load.ts';
import { withoutUnused } from '../../compose/load/profiles.ts';
import { findSources, type Sources } from '../../compose/load/sources.ts';
import type { FlagValues } from '../flags.ts';
import type { Session } from '../session.ts';
import { progressMode } from './progress/open-progress.ts';

/** The project that the flags of `compose` and the surroundings name. */
export function loadNamedProject(
  session: Session,
  groupFlags: FlagValues,
  options: Partial<LoadOptions> = {},
): Loaded {
  const loaded = loadProject(namedSources(session, groupFlags), {
    homeDirectory: session.surroundings.homeDirectory,
    standardInput: groupFlags.list('file').includes('-') ? readFileSync(0, 'utf8') : undefined,
    keepsLabelFiles: true,
    warn: message => warn(session, message),
    ...options,
  });
  const keepsAll = groupFlags.on('all-resources') || options.interpolates === false;
  return keepsAll ? loaded : { ...loaded, project: withoutUnused(loaded.project) };
}

/** The name alone: with -p no files are needed. */
export function nameOfProject(session: Session, groupFlags: FlagValues): string {
  const { files, name } = namedSources(session, groupFlags);
  return files.length === 0 && name !== undefined ? name : loadNamedProject(session, groupFlags).project.name;
}

export function namedSources(session: Session, groupFlags: FlagValues): Sources {
  // A wrong `--progress` is refused by commands that show none, too.
  progressMode({ session, groupFlags });
  return findSources({
    files: groupFlags.list('file'),
    projectDirectory: groupFlags.given('project-directory'),
    envFiles: groupFlags.list('env-file'),
    projectName: groupFlags.given('project-name'),
    profiles: groupFlags.list('profile'),
    parallel: groupFlags.changed('parallel') ? groupFlags.integer('parallel') : undefined,
    compatibility: groupFlags.changed('compatibility') ? groupFlags.on('compatibility') : undefined,
    workingDirectory: session.surroundings.workingDirectory,
    environment: session.env,
    warn: message => warn(session, message),
  });
}

function warn(session: Session, message: string): void {
  session.err.line(`WARNING: ${message}`);
}
