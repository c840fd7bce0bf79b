import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { buildLabels } from '../../compose/bake.ts';
import { imageReference } from '../../compose/names.ts';
import type { Build, FileObject, Project } from '../../compose/project.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { command as buildCommand, build as runBuild } from '../commands/build.ts';
import { declareFlags, FlagValues, parseFlags } from '../flags.ts';
import type { Output } from '../output/output.ts';
import type { Session } from '../session.ts';
import { buildDisplay } from './progress/build-display.ts';
import { NamedLines } from './progress/named-lines.ts';
import type { Progress } from './progress/progress.ts';

export interface BuildImageOptions {
  reference: string;
  /** Flags of `build`. */
  more?: readonly string[];
  progress: Progress;
  /** The project's variables: secrets may come from them. */
  environment: ReadonlyMap<string, string>;
  quiet?: boolean;
  /** False: others are built meanwhile, so that lines need a name. */
  isAlone?: boolean;
}

/**
 * Builds the image of a service by `gantry build`, with everything its `build` says.
 * @throws ExitError when the build fails
 */
export async function buildImage(
  session: Session,
  project: Project,
  serviceName: string,
  { reference, more = [], progress, environment, quiet = false, isAlone = true }: BuildImageOptions,
): Promise<void> {
  if (session.dryRun) {
    progress.tell({ id: serviceName, status: 'Building', state: 'working' });
    progress.tell({ id: serviceName, status: 'Built', state: 'done' });
    return;
  }
  const { context = '.' } = project.services[serviceName]!.build!;
  const scratch = mkdtempSync(join(tmpdir(), 'gantry-compose-'));
  const remove = () => rmSync(scratch, { recursive: true, force: true });
  // Ctrl-C ends the program, and with it the build.
  process.once('exit', remove);
  try {
    const shown = progress.mode === 'plain' && !quiet ? ['--progress', 'plain'] : [];
    const args = [
      ...buildArguments(project, serviceName, environment, scratch),
      '-t',
      reference,
      ...shown,
      ...more,
    ];
    const parsed = parseFlags(declareFlags(buildCommand.flags), [...args, context], true);
    progress.tell({ id: serviceName, status: 'Building', state: 'working' });
    const call: Call = {
      session: session.saying({ out: outputFor(session.out), err: outputFor(session.err) }),
      flags: parsed.values,
      groupFlags: new FlagValues([]),
      args: parsed.rest,
      path: 'build',
    };
    const status = await runBuild(call, buildDisplay(progress, serviceName, quiet));
    if (status) throw new EngineError('internal', `building service ${serviceName} failed`);
    progress.tell({ id: serviceName, status: 'Built', state: 'done' });
  } catch (error) {
    progress.tell({ id: serviceName, status: 'Error', state: 'failed' });
    throw error;
  } finally {
    process.off('exit', remove);
    remove();
  }

  function outputFor(output: Output): Output {
    const beside = progress.beside(output);
    return isAlone || progress.mode !== 'plain' ? beside : new NamedLines(beside, serviceName);
  }
}

/** @param scratch where an inline Dockerfile is written, and what a secret takes from a variable */
export function buildArguments(
  project: Project,
  serviceName: string,
  environment: ReadonlyMap<string, string>,
  scratch: string,
): string[] {
  const build = project.services[serviceName]!.build!;
  const { platform } = project.services[serviceName]!;
  const platforms = build.platforms ?? (platform === undefined ? [] : [platform]);
  const each = (flag: string, values: readonly string[] = []) => values.flatMap(value => [flag, value]);
  const pairs = (of: Record<string, string | null> = {}) =>
    Object.entries(of).map(([name, value]) => (value === null ? name : `${name}=${value}`));
  return [
    ...dockerfileArguments(build, scratch),
    ...each('--build-arg', pairs(build.args)),
    ...each('--label', pairs({ ...build.labels, ...buildLabels(project, serviceName) })),
    ...each('--tag', build.tags),
    ...each('--cache-from', build.cache_from),
    ...each('--cache-to', build.cache_to),
    ...each('--allow', [...(build.entitlements ?? []), ...(build.privileged ? ['security.insecure'] : [])]),
    ...each('--build-context', pairs(contexts(project, build))),
    ...each('--add-host', hosts(build)),
    ...each('--secret', secrets(project, build, environment, scratch)),
    ...each('--ssh', pairs(build.ssh)),
    ...each('--ulimit', ulimits(build)),
    ...(platforms.length === 0 ? [] : ['--platform', platforms.join(',')]),
    ...(build.network === undefined ? [] : ['--network', build.network]),
    ...(build.target === undefined ? [] : ['--target', build.target]),
    ...(build.shm_size === undefined ? [] : ['--shm-size', build.shm_size]),
    ...(build.provenance === undefined ? [] : ['--provenance', build.provenance]),
    ...(build.sbom === undefined ? [] : ['--sbom', build.sbom]),
    ...(build.no_cache ? ['--no-cache'] : []),
    ...(build.pull ? ['--pull'] : []),
  ];
}

function dockerfileArguments(
  { context = '.', dockerfile, dockerfile_inline }: Build,
  scratch: string,
): string[] {
  if (dockerfile_inline !== undefined) {
    const file = join(scratch, 'Dockerfile');
    writeFileSync(file, dockerfile_inline);
    return ['-f', file];
  }
  if (dockerfile === undefined || dockerfile === 'Dockerfile') return [];
  const isLocal = isAbsolute(context);
  return ['-f', isLocal && !isAbsolute(dockerfile) ? join(context, dockerfile) : dockerfile];
}

/** The image of another service is a context as any image is. */
function contexts(project: Project, { additional_contexts = {} }: Build): Record<string, string> {
  return Object.fromEntries(
    Object.entries(additional_contexts).map(([name, source]) => {
      if (!source.startsWith('service:')) return [name, source];
      const other = source.slice('service:'.length);
      return [name, `docker-image://${imageReference(project, other)}`];
    }),
  );
}

function hosts({ extra_hosts = {} }: Build): string[] {
  return Object.entries(extra_hosts).flatMap(([name, addresses]) =>
    addresses.map(address => `${name}:${address}`),
  );
}

/** A variable of the project need not be one of this program: its value goes by a file. */
function secrets(
  project: Project,
  build: Build,
  environment: ReadonlyMap<string, string>,
  scratch: string,
): string[] {
  return (build.secrets ?? []).map(({ source, target }, at) => {
    const object: FileObject | undefined = project.secrets?.[source];
    const id = target ?? source;
    if (object?.file !== undefined) return `id=${id},src=${object.file}`;
    if (object?.environment === undefined)
      throw new EngineError(
        'notImplemented',
        `build.secrets only supports environment or file-based secrets: ${source}`,
      );
    const file = join(scratch, `secret-${at}`);
    writeFileSync(file, environment.get(object.environment) ?? '', { mode: 0o600 });
    return `id=${id},src=${file}`;
  });
}

function ulimits({ ulimits: of = {} }: Build): string[] {
  return Object.entries(of).map(([name, limit]) =>
    typeof limit === 'number' ? `${name}=${limit}` : `${name}=${limit.soft}:${limit.hard}`,
  );
}
