import type { UpOptions } from '../../compose/plan/up.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError } from '../../stdx/errors.ts';
import { UsageError } from '../errors.ts';
import type { FlagValues } from '../flags.ts';

/** Flags that say what containers there shall be. */
export const upFlags = `      --always-recreate-deps  Recreate dependent containers. Incompatible with --no-recreate.
      --force-recreate  Recreate containers even if their configuration and image haven't changed
      --no-deps  Don't start linked services
      --no-recreate  If containers already exist, don't recreate them. Incompatible with --force-recreate.
      --remove-orphans  Remove containers for services not defined in the Compose file
  -V, --renew-anon-volumes  Recreate anonymous volumes instead of retrieving data from the previous containers
      --scale list  Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present.
  -y, --yes  Assume "yes" as answer to all prompts and run non-interactively`;

/** @throws UsageError, EngineError for flags that do not go together and for services that are not there */
export function upOptions(flags: FlagValues, services: readonly string[], project: Project): UpOptions {
  if (flags.on('force-recreate') && flags.on('no-recreate'))
    throw new EngineError('invalid', '--force-recreate and --no-recreate are incompatible');
  if (flags.on('always-recreate-deps') && flags.on('no-recreate'))
    throw new EngineError('invalid', '--always-recreate-deps and --no-recreate are incompatible');
  const missing = services.find(name => project.services[name] === undefined);
  if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
  return {
    services,
    withDependencies: !flags.on('no-deps'),
    recreate: flags.on('force-recreate') ? 'always' : flags.on('no-recreate') ? 'never' : 'changed',
    recreateDependencies: flags.on('always-recreate-deps'),
    scale: scales(flags.list('scale'), project),
    renewsVolumes: flags.on('renew-anon-volumes'),
    removeOrphans: flags.on('remove-orphans'),
    start: true,
    imageDigests: {},
  };
}

/** `--scale SERVICE=NUM`. @throws UsageError, EngineError notFound */
export function scales(written: readonly string[], project: Project): Record<string, number> {
  return Object.fromEntries(
    written.map(text => {
      const [, name, count] = /^(.+)=(\d+)$/.exec(text) ?? [];
      if (name === undefined)
        throw new UsageError(`invalid --scale option ${JSON.stringify(text)}. Should be SERVICE=NUM`);
      if (project.services[name] === undefined) throw new EngineError('notFound', `no such service: ${name}`);
      return [name, Number(count)];
    }),
  );
}

/** `--pull`; undefined: as each service says. @throws EngineError invalid */
export function pullPolicy(flags: FlagValues): string | undefined {
  const pull = flags.given('pull');
  if (pull === undefined || pull === 'policy') return undefined;
  if (['always', 'missing', 'never', 'build'].includes(pull)) return pull;
  throw new EngineError('invalid', `invalid --pull option ${JSON.stringify(pull)}`);
}
