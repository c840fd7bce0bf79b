import { resolve } from 'node:path';
import { act, perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { readInto } from '../../../compose/load/environment.ts';
import type { Loaded } from '../../../compose/load/load.ts';
import { splitWords } from '../../../compose/load/shapes/command.ts';
import { oneOffName } from '../../../compose/names.ts';
import { mountsOf, type OneOffRequest, oneOffService, portsOf } from '../../../compose/one-off.ts';
import { type PlannedOneOff, servicesInOrder } from '../../../compose/plan/up.ts';
import type { Project } from '../../../compose/project.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { randomHex } from '../../../stdx/random-hex.ts';
import { atLeast, type Call, type Command } from '../../command.ts';
import { reachState } from '../../compose/bring-up.ts';
import { refuseInteraction } from '../../compose/dry-run.ts';
import { prepareImages, type ServiceImage } from '../../compose/images.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { NoProgress } from '../../compose/progress/line-progress.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import type { Progress } from '../../compose/progress/progress.ts';
import { pullPolicy } from '../../compose/up-options.ts';
import type { FlagValues } from '../../flags.ts';
import { keyValues } from '../../key-values.ts';
import { runAttached } from '../../run-attached.ts';
import type { Session } from '../../session.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE [COMMAND] [ARGS...]',
  short: 'Run a one-off command on a service',
  aliases: 'compose run',
  flags: `
      --build  Build image before starting container
      --cap-add list  Add Linux capabilities
      --cap-drop list  Drop Linux capabilities
  -d, --detach  Run container in background and print container ID
      --entrypoint string  Override the entrypoint of the image
  -e, --env stringArray  Set environment variables
      --env-from-file stringArray  Set environment variables from file
  -i, --interactive  Keep STDIN open even if not attached (default true)
  -l, --label stringArray  Add or override a label
      --name string  Assign a name to the container
  -T, --no-TTY  Disable pseudo-TTY allocation (default: auto-detected)
      --no-deps  Don't start linked services
  -p, --publish stringArray  Publish a container's port(s) to the host
      --pull string  Pull image before running ("always"|"missing"|"never") (default "policy")
  -q, --quiet  Say nothing but what the command says
      --quiet-build  Suppress progress output from the build process
      --quiet-pull  Pull without printing progress information
      --remove-orphans  Remove containers for services not defined in the Compose file
      --rm  Automatically remove the container when it exits
  -P, --service-ports  Run command with all service's ports enabled and mapped to the host
      --use-aliases  Use the service's network aliases in the network(s) the container connects to
  -u, --user string  Run as specified username or uid
  -v, --volume stringArray  Bind mount a volume
  -w, --workdir string  Working directory inside the container
`,
  takes: atLeast(1),
  interspersed: false,
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    const [service = ''] = args;
    if (flags.on('service-ports') && flags.changed('publish'))
      throw new EngineError('invalid', '--service-ports and --publish are incompatible');
    const loaded = loadNamedProject(session, groupFlags, { services: [service] });
    const { project } = loaded;
    if (project.services[service] === undefined)
      throw new EngineError('notFound', `no such service: ${service}`);
    const detached = flags.on('detach');
    if (!detached) refuseInteraction(call, 'run');
    const tty = !detached && usesTerminal(session, flags);
    const request = oneOffRequest(call, loaded, tty);
    const progress = flags.on('quiet') ? new NoProgress() : openProgress(call);
    const oneOff = planned(project, service, flags);
    try {
      const images = await imagesOf(call, loaded, service, progress);
      await reachState(
        session,
        {
          ...loaded,
          project: {
            ...project,
            services: { ...project.services, [service]: oneOffService(project.services[service], request) },
          },
        },
        {
          services: [service],
          withDependencies: request.withDependencies,
          recreate: 'changed',
          recreateDependencies: false,
          scale: {},
          removeOrphans: flags.on('remove-orphans'),
          start: true,
          imageDigests: {},
          oneOff,
        },
        images,
        { progress },
      );
    } finally {
      progress.end();
    }
    if (!detached)
      return runAttached(session, oneOff.name, {
        tty,
        stdin: oneOff.interactive,
        stdout: true,
        stderr: true,
        detachKeys: session.config().detachKeys,
        forwardsSignals: true,
        autoRemove: oneOff.autoRemove,
      });
    if (session.dryRun) {
      session.out.line(oneOff.name);
      return 0;
    }
    const client = await session.client();
    const path = { id: oneOff.name };
    const { Id } = await perform(client, containerOperations.inspect, { path });
    await act(client, containerOperations.start, { path });
    session.out.line(Id);
    return 0;
  },
};

/** As docker compose has it, a terminal is made when our output is one. */
function usesTerminal(session: Session, flags: FlagValues): boolean {
  if (flags.changed('no-TTY')) return !flags.on('no-TTY');
  return session.out.isTerminal && session.input.isTerminal;
}

function planned(project: Project, service: string, flags: FlagValues): PlannedOneOff {
  const slug = randomHex(32);
  return {
    service,
    name: flags.string('name') || oneOffName(project, service, slug),
    slug,
    usesAliases: flags.on('use-aliases'),
    interactive: flags.on('interactive'),
    autoRemove: flags.on('rm'),
  };
}

function oneOffRequest({ session, flags, args }: Call, { sources }: Loaded, tty: boolean): OneOffRequest {
  const reading = {
    directory: session.surroundings.workingDirectory,
    resolvesPaths: true,
    interpolates: true,
    homeDirectory: session.surroundings.homeDirectory,
    warn: (message: string) => session.err.line(`WARNING: ${message}`),
  };
  const entrypoint = flags.changed('entrypoint') ? splitWords(flags.string('entrypoint')) : undefined;
  if (flags.changed('entrypoint') && entrypoint === undefined)
    throw new EngineError('invalid', 'invalid command line string');
  return {
    command: args.slice(1),
    entrypoint,
    tty,
    interactive: flags.on('interactive'),
    user: flags.given('user'),
    workingDirectory: flags.given('workdir'),
    environment: variables(session, flags, sources.environment),
    labels: keyValues(flags.list('label')),
    volumes: mountsOf(flags.list('volume'), reading),
    servicePorts: flags.on('service-ports'),
    ports: portsOf(flags.list('publish'), reading),
    addedCapabilities: flags.list('cap-add'),
    droppedCapabilities: flags.list('cap-drop'),
    withDependencies: !flags.on('no-deps'),
  };
}

/** A name alone takes the project's value, or is no variable of the container at all. */
function variables(
  session: Session,
  flags: FlagValues,
  environment: ReadonlyMap<string, string>,
): Record<string, string | null> {
  const all = new Map<string, string>();
  for (const file of flags.list('env-from-file'))
    readInto(resolve(session.surroundings.workingDirectory, file), all, name => environment.get(name));
  const given = flags.list('env').map(text => {
    const equals = text.indexOf('=');
    return equals === -1
      ? ([text, environment.get(text) ?? null] as const)
      : ([text.slice(0, equals), text.slice(equals + 1)] as const);
  });
  return { ...Object.fromEntries(all), ...Object.fromEntries(given) };
}

/** `--build` and `--pull` are for the service's own image. */
async function imagesOf(
  { session, flags }: Call,
  { project, sources }: Pick<Loaded, 'project' | 'sources'>,
  service: string,
  progress: Progress,
): Promise<Record<string, ServiceImage>> {
  const usual = {
    build: false,
    mayBuild: true,
    pull: undefined,
    quietPull: flags.on('quiet') || flags.on('quiet-pull'),
    quietBuild: flags.on('quiet') || flags.on('quiet-build'),
    progress,
    environment: sources.environment,
  };
  const others = servicesInOrder(project, [service], !flags.on('no-deps')).filter(name => name !== service);
  return {
    ...(await prepareImages(session, project, others, usual)),
    ...(await prepareImages(session, project, [service], {
      ...usual,
      build: flags.on('build'),
      pull: pullPolicy(flags),
    })),
  };
}
