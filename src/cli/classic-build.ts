import { writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import { type BuildExplanation, type BuildResult, explanationId } from '../api/build.ts';
import type { ProgressMessage } from '../api/images.ts';
import { registryConfigHeader } from '../api/paths.ts';
import { open } from '../client/operation.ts';
import { imageOperations } from '../client/operations.ts';
import { openContext } from './build-context/context.ts';
import type { Call } from './command.ts';
import { variablesBeside } from './config/proxies.ts';
import { argument } from './container-options/argument.ts';
import { parseUlimit } from './container-options/resources.ts';
import { ExitError } from './errors.ts';
import { watchFailedStep } from './failed-step.ts';
import type { FlagValues } from './flags.ts';
import { ProgressDisplay, StreamError } from './output/progress.ts';
import { humanSize } from './output/units.ts';
import { checkReference } from './references.ts';
import { encodeAllAuths } from './registry-auth.ts';
import { jsonMessages } from './streams.ts';

/** `POST /build`: for daemons without BuildKit, and for what only the classic builder has. */
export async function buildClassic(call: Call): Promise<void> {
  const watch = await watchFailedStep(call);
  try {
    await build(call, watch?.token);
  } finally {
    await watch?.end();
  }
}

async function build(
  { session, flags, args: [place = ''] }: Call,
  holdFailed: string | undefined,
): Promise<void> {
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
      explain: flags.on('explain'),
      holdfailed: holdFailed,
    },
    headers: { [registryConfigHeader]: await encodeAllAuths(session) },
    body:
      context.body === undefined
        ? ''
        : counted(flags.on('compress') ? gzipped(context.body) : context.body, bytes => {
            sentBytes += bytes;
          }),
  });
  if (!quiet && context.remote === undefined)
    session.out.line(`Sending build context to daemon  ${humanSize(sentBytes, 4)}`);
  let imageId = '';
  let unshown = '';
  const explanations: BuildExplanation[] = [];
  const display = new ProgressDisplay(session.out, {
    quiet,
    onAux: aux => {
      imageId = (aux as BuildResult).ID ?? imageId;
    },
  });
  try {
    await jsonMessages<ProgressMessage>(response, message => {
      if (message.id === explanationId) {
        explanations.push(message.aux as BuildExplanation);
        return;
      }
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
  if (explanations.length > 0) session.out.write(explanationText(explanations));
  if (quiet) session.out.line(imageId);
  if (flags.string('iidfile') !== '') writeFileSync(flags.string('iidfile'), imageId);
}

/** `step 5 (RUN make): built, step 4, on which it builds, was built anew` */
function explanationText(explanations: readonly BuildExplanation[]): string {
  return [...explanations]
    .sort((a, b) => a.Step - b.Step)
    .map(({ Step, Instruction, Hit, Reason }) => {
      return `step ${Step} (${Instruction}): ${Hit ? 'cached' : 'built'}, ${Reason}\n`;
    })
    .join('');
}

function gzipped(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // Whoever reads the stream hears of the errors.
  return pipeline(body, createGzip(), () => {});
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onBytes(chunk.length);
    yield chunk;
  }
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
    platform: flags.list('platform').join(',') || env['DOCKER_DEFAULT_PLATFORM'],
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
