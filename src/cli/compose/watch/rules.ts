import { existsSync, readFileSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import { IgnoreRules } from '../../../build/patterns/ignore.ts';
import type { Build, Hook, Project, WatchRule } from '../../../compose/project.ts';
import { EngineError } from '../../../stdx/errors.ts';

/** One rule of one service, ready to judge paths. */
export interface Watched {
  service: string;
  /** Absolute; a directory or a file. */
  path: string;
  action: WatchRule['action'];
  /** In the container. */
  target: string | undefined;
  exec: Hook | undefined;
  initialSync: boolean;
  /** By path below `path`; '' is `path` itself. */
  concerns(below: string): boolean;
  /** True: nothing below this directory can concern the rule. */
  skips(below: string): boolean;
}

/** What editors, version control and the like leave beside the files they are about. */
const passing = [
  '**/.git',
  '**/.hg',
  '**/.svn',
  // vim
  '**/4913',
  '**/*~',
  '**/.*.sw?',
  '**/.*.sw?x',
  // emacs
  '**/.#*',
  '**/#*#',
  // JetBrains
  '**/*___jb_tmp___',
  '**/*___jb_old___',
  // kate, gedit
  '**/.*.kate-swp',
  '**/.goutputstream-*',
  '**/.DS_Store',
];

/**
 * The rules of the services that have some.
 * @throws EngineError `invalid` when there is none, or one that cannot work
 */
export function watchedRules(project: Project, services: readonly string[]): Watched[] {
  const watched = services.flatMap(name => {
    const { develop, build } = project.services[name]!;
    const rules = develop?.watch ?? [];
    const rebuilds = rules.some(({ action }) => action === 'rebuild');
    if (rebuilds && build === undefined)
      throw new EngineError(
        'invalid',
        `can't watch service ${JSON.stringify(name)} with action rebuild without a build context`,
      );
    return rules.map(rule => watchedRule(name, rule, build));
  });
  if (watched.length > 0) return watched;
  throw new EngineError(
    'invalid',
    "none of the selected services is configured for watch, consider setting a 'develop' section",
  );
}

function watchedRule(service: string, rule: WatchRule, build: Build | undefined): Watched {
  const context = build?.context;
  const path = resolve(rule.path);
  const ignored = new IgnoreRules([...passing, ...(rule.ignore ?? [])]);
  const ofContext = contextRules(build);
  const included =
    rule.include === undefined || rule.include.length === 0 ? undefined : new IgnoreRules(rule.include);
  const inContext = (below: string) => {
    if (context === undefined) return undefined;
    const full = below === '' ? path : `${path}/${below}`;
    const base = resolve(context);
    return full.startsWith(`${base}/`) ? full.slice(base.length + 1) : undefined;
  };
  const isIgnored = (below: string) => {
    if (below !== '' && ignored.ignores(below)) return true;
    const place = inContext(below);
    return place !== undefined && ofContext.ignores(place);
  };
  return {
    service,
    path,
    action: rule.action,
    target: rule.target,
    exec: rule.exec,
    initialSync: rule.initial_sync === true,
    concerns: below =>
      !isIgnored(below) && (included === undefined || below === '' || included.ignores(below)),
    skips: below => !ignored.hasExceptions && !ofContext.hasExceptions && isIgnored(below),
  };
}

/** What is not in the build's context is not in the container either. */
function contextRules({ context, dockerfile = 'Dockerfile' }: Build = {}): IgnoreRules {
  if (context === undefined) return new IgnoreRules([]);
  const files = [`${dockerfile}.dockerignore`, '.dockerignore'].map(name => resolve(context, name));
  const file = files.find(existsSync);
  return file === undefined ? new IgnoreRules([]) : IgnoreRules.parse(readFileSync(file, 'utf8'));
}

/** Where a path of this machine is in the container. */
export function placeInContainer({ target = '/' }: Pick<Watched, 'target'>, below: string): string {
  return posix.normalize(below === '' ? target : `${target}/${below}`);
}
