import { imageReference } from '../../../compose/names.ts';
import { servicesInOrder } from '../../../compose/plan/up.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { buildImage } from '../../compose/build-image.ts';
import { inBuildOrder } from '../../compose/build-order.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Build or rebuild services',
  flags: `
!     --builder string  there is one builder, the daemon's own
      --build-arg stringArray  Set build-time variables for services
      --check  Check build configuration
!     --memory bytes  BuildKit has no such limit
!     --print  there is no bake file: images are built one by one
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
    const more = [
      ...flags.list('build-arg').flatMap(argument => ['--build-arg', argument]),
      ...['check', 'no-cache', 'pull', 'push'].filter(name => flags.on(name)).map(name => `--${name}`),
      ...['provenance', 'sbom']
        .filter(name => flags.changed(name))
        .flatMap(name => [`--${name}`, flags.string(name)]),
      ...(flags.changed('ssh') ? ['--ssh', flags.string('ssh')] : []),
    ];
    const services =
      args.length === 0
        ? servicesInOrder(project, [], true)
        : servicesInOrder(project, args, flags.on('with-dependencies'));
    const built = services.filter(name => project.services[name]!.build !== undefined);
    if (built.length === 0) session.err.line('No services to build');
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
