import { servicesInOrder } from '../../../compose/plan/up.ts';
import type { Project } from '../../../compose/project.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { atLeast, type Command } from '../../command.ts';
import { reachState } from '../../compose/bring-up.ts';
import { prepareImages } from '../../compose/images.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';

export const command: Command = {
  usage: '[SERVICE=REPLICAS...]',
  short: 'Scale services',
  aliases: 'compose scale',
  flags: `
      --no-deps  Don't start linked services
`,
  takes: atLeast(1),
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    const scale = Object.fromEntries(args.map(readScale));
    const services = Object.keys(scale);
    const loaded = loadNamedProject(session, groupFlags, { services });
    for (const name of services) requireScalable(loaded.project, name, scale[name]!);
    const withDependencies = !flags.on('no-deps');
    const concerned = servicesInOrder(loaded.project, services, withDependencies);
    const progress = openProgress(call);
    const images = await prepareImages(session, loaded.project, concerned, {
      build: false,
      mayBuild: true,
      pull: undefined,
      quietPull: false,
      quietBuild: false,
      progress,
      environment: loaded.sources.environment,
    });
    await reachState(
      session,
      loaded,
      {
        services,
        withDependencies,
        recreate: 'changed',
        recreateDependencies: false,
        scale,
        removeOrphans: false,
        start: true,
        imageDigests: {},
      },
      images,
      { progress },
    ).finally(() => progress.end());
  },
};

function readScale(written: string): [service: string, count: number] {
  const equals = written.indexOf('=');
  const count = written.slice(equals + 1);
  if (equals === -1) throw new EngineError('invalid', `invalid scale specifier: ${written}`);
  if (!/^\d+$/.test(count))
    throw new EngineError('invalid', `invalid scale specifier: can't parse replica value as int: ${written}`);
  return [written.slice(0, equals), Number(count)];
}

function requireScalable({ services }: Project, name: string, count: number): void {
  const service = services[name];
  if (service === undefined) throw new EngineError('notFound', `no such service: ${name}`);
  if (service.container_name !== undefined && count > 1)
    throw new EngineError(
      'invalid',
      `service ${JSON.stringify(name)} has container_name ${JSON.stringify(service.container_name)}: ` +
        'only one container can have it',
    );
}
