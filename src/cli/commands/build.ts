import { writeFileSync } from 'node:fs';
import type { BuildResult } from '../../api/build.ts';
import type { ProgressMessage } from '../../api/images.ts';
import { registryConfigHeader } from '../../api/paths.ts';
import { open } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { openContext } from '../build-context/context.ts';
import { type Command, exactly } from '../command.ts';
import { variablesBeside } from '../config/proxies.ts';
import { argument } from '../container-options/argument.ts';
import { parseUlimit } from '../container-options/resources.ts';
import { refuseContentTrust } from '../content-trust.ts';
import { ExitError } from '../errors.ts';
import type { FlagValues } from '../flags.ts';
import { ProgressDisplay, StreamError } from '../output/progress.ts';
import { humanSize } from '../output/units.ts';
import { checkReference } from '../references.ts';
import { encodeAllAuths } from '../registry-auth.ts';
import { jsonMessages } from '../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] PATH | URL | -',
  short: 'Build an image from a Dockerfile',
  aliases: 'image build, build, builder build',
  flags: `
      --add-host list  Add a custom host-to-IP mapping ("host:ip")
      --build-arg list  Set build-time variables
      --cache-from strings  Images to consider as cache sources
      --cgroup-parent string  Set the parent cgroup for the "RUN" instructions during build
      --compress  Compress the build context using gzip
      --cpu-period int  Limit the CPU CFS (Completely Fair Scheduler) period
      --cpu-quota int  Limit the CPU CFS (Completely Fair Scheduler) quota
  -c, --cpu-shares int  CPU shares (relative weight)
      --cpuset-cpus string  CPUs in which to allow execution (0-3, 0,1)
      --cpuset-mems string  MEMs in which to allow execution (0-3, 0,1)
      --disable-content-trust  Skip image verification (default true)
  -f, --file string  Name of the Dockerfile (Default is "PATH/Dockerfile")
      --force-rm  Always remove intermediate containers
      --iidfile string  Write the image ID to the file
      --isolation string  Container isolation technology
      --label list  Set metadata for an image
  -m, --memory bytes  Memory limit
      --memory-swap bytes  Swap limit equal to memory plus swap: -1 to enable unlimited swap
      --network string  Set the networking mode for the RUN instructions during build (default "default")
      --no-cache  Do not use cache when building the image
      --platform string  Set platform if server is multi-platform capable
      --pull  Always attempt to pull a newer version of the image
  -q, --quiet  Suppress the build output and print image ID on success
      --rm  Remove intermediate containers after a successful build (default true)
      --security-opt strings  Security options
      --shm-size bytes  Size of "/dev/shm"
  -t, --tag list  Name and optionally a tag in the "name:tag" format
      --target string  Set the target build stage to build.
      --ulimit ulimit  Ulimit options (default [])
!     --squash  layers are not squashed, and docker's daemon does so only as an experiment
      --progress string  Set type of progress output ("auto", "plain", "quiet") (default "auto")
`,
  takes: exactly(1),
  async run({ session, flags, args: [place = ''] }) {
    refuse(flags);
    const quiet = flags.on('quiet') || flags.string('progress') === 'quiet';
    let sentBytes = 0;
    const context = await openContext(place, flags.string('file'), {
      workingDirectory: session.surroundings.workingDirectory,
      input: () => session.input.stream(),
    });
    const response = await open(await session.client(), imageOperations.build, {
      query: {
        ...planQuery(flags, session.env, await session.proxyVariables()),
        dockerfile: context.dockerfile,
        remote: context.remote,
        q: quiet,
      },
      headers: { [registryConfigHeader]: await encodeAllAuths(session) },
      body:
        context.body === undefined
          ? ''
          : counted(context.body, bytes => {
              sentBytes += bytes;
            }),
    });
    if (!quiet && context.remote === undefined)
      session.out.line(`Sending build context to daemon  ${humanSize(sentBytes, 4)}`);
    let imageId = '';
    let unshown = '';
    const display = new ProgressDisplay(session.out, {
      quiet,
      onAux: aux => {
        imageId = (aux as BuildResult).ID ?? imageId;
      },
    });
    try {
      await jsonMessages<ProgressMessage>(response, message => {
        if (quiet && message.stream !== undefined) {
          imageId = message.stream.trim() || imageId;
          unshown += message.stream;
        }
        display.show(message);
      });
    } catch (error) {
      // Quiet about success only.
      if (quiet) session.err.write(unshown);
      // The status of the RUN that failed is the build's, as docker has it.
      if (error instanceof StreamError && error.code) throw new ExitError(error.code, error.message);
      throw error;
    }
    if (quiet) session.out.line(imageId);
    if (flags.string('iidfile') !== '') writeFileSync(flags.string('iidfile'), imageId);
  },
};

async function* counted(
  body: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onBytes(chunk.length);
    yield chunk;
  }
}

function refuse(flags: FlagValues): void {
  refuseContentTrust(flags);
  if (flags.changed('isolation')) throw new EngineError('notImplemented', '--isolation is not supported');
  const progress = flags.string('progress');
  if (!['auto', 'plain', 'quiet'].includes(progress))
    throw new EngineError('notImplemented', `--progress=${progress} is not supported`);
}

function planQuery(
  flags: FlagValues,
  env: Readonly<Record<string, string | undefined>>,
  proxies: readonly string[],
) {
  const buildArgs = flags.list('build-arg');
  const limit = (name: string) => (flags.changed(name) ? flags.bytes(name) : undefined);
  return {
    t: flags.list('tag').map(text =>
      argument('-t, --tag', text, () => {
        checkReference(text);
        return text;
      }),
    ),
    extrahosts: flags.list('add-host').map(text => text.replace('=', ':')),
    nocache: flags.on('no-cache'),
    cachefrom: JSON.stringify(flags.list('cache-from')),
    pull: flags.on('pull'),
    rm: flags.on('rm') ? true : '0',
    forcerm: flags.on('force-rm'),
    memory: limit('memory'),
    memswap: limit('memory-swap'),
    cpushares: flags.given('cpu-shares'),
    cpusetcpus: flags.given('cpuset-cpus'),
    cpusetmems: flags.given('cpuset-mems'),
    cpuperiod: flags.given('cpu-period'),
    cpuquota: flags.given('cpu-quota'),
    cgroupparent: flags.given('cgroup-parent'),
    shmsize: limit('shm-size'),
    buildargs: JSON.stringify(buildArguments([...buildArgs, ...variablesBeside(buildArgs, proxies)], env)),
    labels: JSON.stringify(Object.fromEntries(flags.list('label').map(splitOnce))),
    ulimits: JSON.stringify(
      flags.list('ulimit').map(text => argument('--ulimit', text, () => parseUlimit(text))),
    ),
    securityopt: flags.changed('security-opt') ? JSON.stringify(flags.list('security-opt')) : undefined,
    networkmode: flags.string('network'),
    target: flags.string('target'),
    platform: flags.string('platform') || env['DOCKER_DEFAULT_PLATFORM'],
    version: '1',
  };
}

/** A name alone takes its value from our environment; null tells the daemon that it has none. */
function buildArguments(
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | null> {
  return Object.fromEntries(
    texts.map(text => (text.includes('=') ? splitOnce(text) : [text, env[text] ?? null])),
  );
}

function splitOnce(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
