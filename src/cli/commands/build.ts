import { EngineError } from '../../stdx/errors.ts';
import type { Display } from '../buildkit/solve.ts';
import { type Call, type Command, exactly } from '../command.ts';
import { refuseContentTrust } from '../content-trust.ts';
import type { FlagValues } from '../flags.ts';

export const command: Command = {
  usage: '[OPTIONS] PATH | URL | -',
  short: 'Build an image from a Dockerfile',
  aliases: 'image build, build, buildx build, buildx b, builder build',
  flags: `
      --add-host list  Add a custom host-to-IP mapping ("host:ip")
      --allow stringArray  Allow extra privileged entitlement (e.g., "network.host", "security.insecure")
      --annotation stringArray  Add annotation to the image
      --attest stringArray  Attestation parameters (format: "type=provenance,mode=max")
      --build-arg list  Set build-time variables
      --build-context stringArray  Additional build contexts (e.g., name=path)
!     --builder string  there is one builder, the daemon's own
      --cache-from stringArray  External cache sources (e.g., "user/app:cache", "type=registry,ref=user/app:cache")
      --cache-to stringArray  Cache export destinations (e.g., "user/app:cache", "type=inline")
      --call string  Set method for evaluating build ("build", "check", "outline", "targets") (default "build")
      --cgroup-parent string  Set the parent cgroup for the "RUN" instructions during build
      --check  Shorthand for "--call=check": say what is doubtful in the Dockerfile, and build nothing
      --compress  Compress the build context using gzip
      --cpu-period int  Limit the CPU CFS (Completely Fair Scheduler) period
      --cpu-quota int  Limit the CPU CFS (Completely Fair Scheduler) quota
  -c, --cpu-shares int  CPU shares (relative weight)
      --cpuset-cpus string  CPUs in which to allow execution (0-3, 0,1)
      --cpuset-mems string  MEMs in which to allow execution (0-3, 0,1)
      --disable-content-trust  Skip image verification (default true)
      --explain  Say of each step why it was or was not taken from the cache
  -f, --file string  Name of the Dockerfile (Default is "PATH/Dockerfile")
      --force-rm  Always remove intermediate containers
      --iidfile string  Write the image ID to the file
      --isolation string  Container isolation technology
      --label list  Set metadata for an image
      --load  Shorthand for "--output=type=docker"
  -m, --memory bytes  Memory limit
      --memory-swap bytes  Swap limit equal to memory plus swap: -1 to enable unlimited swap
      --metadata-file string  Write build result metadata to a file
      --network string  Set the networking mode for the RUN instructions during build (default "default")
      --no-cache  Do not use cache when building the image
      --no-cache-filter stringArray  Do not cache specified stages
      --on-error string  What to do when a RUN fails: "shell" opens one where it ran
  -o, --output stringArray  Output destination (format: "type=local,dest=path")
      --platform stringArray  Set target platforms for build
      --progress string  Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty") (default "auto")
      --provenance string  Shorthand for "--attest=type=provenance"
      --pull  Always attempt to pull a newer version of the image
      --push  Shorthand for "--output=type=registry"
  -q, --quiet  Suppress the build output and print image ID on success
      --rm  Remove intermediate containers after a successful build (default true)
      --sbom string  Shorthand for "--attest=type=sbom"
      --secret stringArray  Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")
      --security-opt strings  Security options
      --shm-size bytes  Size of "/dev/shm"
      --ssh stringArray  SSH agent socket to expose to the build (format: "default|<id>[=<socket>]")
  -t, --tag list  Name and optionally a tag in the "name:tag" format
      --target string  Set the target build stage to build.
      --ulimit ulimit  Ulimit options (default [])
!     --squash  layers are not squashed, and docker's daemon does so only as an experiment
`,
  takes: exactly(1),
  run: call => build(call),
};

/**
 * @param display shows how a build by BuildKit goes, instead of what the flags ask for
 * @returns the exit status
 */
export async function build(call: Call, display?: Display): Promise<number | void> {
  const { session, flags } = call;
  refuse(flags);
  if (await usesBuildKit(call)) {
    const { buildWithBuildKit } = await import('../buildkit/build.ts');
    return buildWithBuildKit(call, display);
  }
  const missing = onlyBuildKit.find(name => flags.changed(name));
  if (missing !== undefined) {
    const reason =
      session.env['DOCKER_BUILDKIT'] === '0' ? 'DOCKER_BUILDKIT=0 turns it off' : 'this daemon has none';
    throw new EngineError('notImplemented', `--${missing} needs BuildKit: ${reason}`);
  }
  const { buildClassic } = await import('../classic-build.ts');
  await buildClassic(call);
}

/** What only BuildKit can do, and only the classic builder. */
const onlyBuildKit = [
  'allow',
  'annotation',
  'attest',
  'build-context',
  'cache-to',
  'call',
  'check',
  'load',
  'metadata-file',
  'no-cache-filter',
  'output',
  'provenance',
  'push',
  'sbom',
  'secret',
  'ssh',
] as const;
const onlyClassic = [
  'compress',
  'cpu-period',
  'cpu-quota',
  'cpu-shares',
  'cpuset-cpus',
  'cpuset-mems',
  'memory',
  'memory-swap',
  'security-opt',
] as const;

/** As docker decides it: by DOCKER_BUILDKIT, else by what the daemon says of itself. */
async function usesBuildKit({ session, flags }: Call): Promise<boolean> {
  const wanted = onlyClassic.find(name => flags.changed(name));
  const asked = session.env['DOCKER_BUILDKIT'];
  if (asked !== undefined && asked !== '') {
    const isOn = !/^(0|f|false)$/i.test(asked);
    if (isOn && wanted !== undefined)
      throw new EngineError(
        'notImplemented',
        `--${wanted} is for the classic builder: DOCKER_BUILDKIT=${asked} turns it off`,
      );
    return isOn;
  }
  const conflicting = onlyBuildKit.find(name => flags.changed(name));
  if (wanted !== undefined && conflicting !== undefined) {
    const message = `--${wanted} is for the classic builder, which knows no --${conflicting}`;
    throw new EngineError('invalid', message);
  }
  if (wanted !== undefined) return false;
  const client = await session.client();
  const { 'builder-version': builder } = await client.ping();
  // Our own daemon has both, whatever it recommends to Docker's client.
  return builder === '2' || client.isGantryd();
}

function refuse(flags: FlagValues): void {
  refuseContentTrust(flags);
  if (flags.changed('isolation')) throw new EngineError('notImplemented', '--isolation is not supported');
  const progress = flags.string('progress');
  if (!['auto', 'none', 'plain', 'quiet', 'rawjson', 'tty'].includes(progress))
    throw new EngineError('invalid', `ERROR: invalid progress mode ${progress}`);
}
