import { bakeFile } from '../../../compose/bake.ts';
import type { Sources } from '../../../compose/load/sources.ts';
import { imageReference } from '../../../compose/names.ts';
import { servicesInOrder } from '../../../compose/plan/up.ts';
import { toGoJson } from '../../../compose/print/json.ts';
import type { Project } from '../../../compose/project.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { buildImage } from '../../compose/build-image.ts';
import { inBuildOrder, withSources } from '../../compose/build-order.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import type { FlagValues } from '../../flags.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Build or rebuild services',
  flags: `
      --builder string  Set builder to use: there is one, the daemon's own, "default"
      --build-arg stringArray  Set build-time variables for services
      --check  Check build configuration
  -m, --memory bytes  Set memory limit for the build container. Not supported by BuildKit.
      --print  Print equivalent bake file
      --no-cache  Do not use cache when building the image
      --provenance string  Add a provenance attestation
      --pull  Always attempt to pull a newer version of the image
      --push  Push service images
  -q, --quiet  Suppress the build output
      --sbom string  Add a SBOM attestation
      --ssh string  Set SSH authentications used when building service images. (use 'default' for using your default SSH Agent)
      --with-dependencies  Also build dependencies (transitively)
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const { project, sources } = loadNamedProject(session, groupFlags, { services: args });
    const missing = args.find(name => project.services[name] === undefined);
    if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
    const builder = flags.string('builder') || 'default';
    if (builder !== 'default')
      throw new EngineError('notFound', `no builder ${JSON.stringify(builder)} found`);
    const more = [
      ...flags.list('build-arg').flatMap(argument => ['--build-arg', argument]),
      ...['check', 'no-cache', 'pull', 'push'].filter(name => flags.on(name)).map(name => `--${name}`),
      ...['provenance', 'sbom']
        .filter(name => flags.changed(name))
        .flatMap(name => [`--${name}`, flags.string(name)]),
      ...(flags.changed('memory') ? ['--memory', flags.string('memory')] : []),
      ...(flags.changed('ssh') ? ['--ssh', flags.string('ssh')] : []),
    ];
    const services =
      args.length === 0
        ? servicesInOrder(project, [], true)
        : servicesInOrder(project, args, flags.on('with-dependencies'));
    const built = services.filter(name => project.services[name]!.build !== undefined);
    if (built.length === 0) session.err.line('No services to build');
    if (flags.on('print')) {
      if (built.length > 0) session.out.line(toGoJson(printedBuild(project, built, sources, flags), 2));
      return;
    }
    const progress = openProgress({ session, groupFlags }, 'Building');
    try {
      await inBuildOrder(project, built, name =>
        buildImage(session, project, name, {
          reference: imageReference(project, name),
          more,
          progress,
          environment: sources.environment,
          quiet: flags.on('quiet'),
          isAlone: built.length < 2,
        }),
      );
    } finally {
      progress.end();
    }
  },
};

/** With the services that images are built from. */
function printedBuild(
  project: Project,
  services: readonly string[],
  { environment }: Sources,
  flags: FlagValues,
): unknown {
  const args = flags.list('build-arg').map(text => {
    const [name = '', value] = splitPair(text);
    return [name, value ?? environment.get(name)] as const;
  });
  const ssh = flags.changed('ssh') ? [splitPair(flags.string('ssh'))] : [];
  return bakeFile(project, withSources(project, services), {
    args: Object.fromEntries(args.filter((pair): pair is [string, string] => pair[1] !== undefined)),
    ssh: Object.fromEntries(ssh.map(([id = '', path = '']) => [id, path])),
    push: flags.on('push'),
    check: flags.on('check'),
    pull: flags.on('pull'),
    noCache: flags.on('no-cache'),
    provenance: flags.given('provenance'),
    sbom: flags.given('sbom'),
  });
}

/** `NAME=value`; only the name where there is no value. */
function splitPair(text: string): string[] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text] : [text.slice(0, equals), text.slice(equals + 1)];
}
