import { controlService, type solveRequest } from '../../api/buildkit/control.ts';
import { sessionHeader } from '../../api/buildkit/session.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Services } from '../call.ts';
import { goArchitectures } from '../convert/info.ts';
import { gantryVersion } from '../versions.ts';
import { RunningBuild, type RunningBuilds } from './builds.ts';
import { toGrpcError } from './errors.ts';
import type { Exporter } from './exporters.ts';
import { type FrontendResult, runFrontend } from './frontend.ts';
import { cacheEndpoint } from './frontend-options.ts';
import { listenHistory } from './history.ts';
import { type MethodTable, streaming, unary } from './methods.ts';
import { ReferencedImages } from './referenced-images.ts';
import type { BuildSessions } from './sessions.ts';
import { connectionIn } from './tunnel.ts';
import { diskUsage, prune } from './usage.ts';

/** BuildKit's control service, as far as clients use it. */
export function controlMethods(
  services: Services,
  sessions: BuildSessions,
  builds: RunningBuilds,
): MethodTable {
  return [
    unary(controlService.info, async () => ({ buildkitVersion: version() })),
    unary(controlService.listWorkers, async () => ({ records: [worker(services)] })),
    unary(controlService.solve, async (request, { signal }) => ({
      exporterResponse: await solve(request, signal, services, sessions, builds),
    })),
    streaming(controlService.status, async function* ({ ref }, { signal }) {
      yield* (await builds.get(ref, signal)).log.follow(signal);
    }),
    [
      controlService.session.path,
      async call => {
        const header = (name: string) => call.metadata.get(name)?.join(', ');
        sessions.check(header(sessionHeader.id));
        await sessions.serve(connectionIn(call), header);
      },
    ],
    unary(controlService.diskUsage, request => diskUsage(services, request)),
    streaming(controlService.prune, request => prune(services, request)),
    streaming(controlService.listenBuildHistory, (request, { signal }) =>
      listenHistory(builds, request, signal),
    ),
    unary(controlService.updateBuildHistory, async ({ ref, delete: remove, pinned, finalize }) => {
      const build = builds.find(ref);
      if (build === undefined)
        throw new EngineError('notFound', `no record found for ref ${JSON.stringify(ref)}`);
      if (remove) builds.forget(ref);
      // To finalize a record is to have its traces written, of which there are none.
      else if (!finalize) build.pinned = pinned;
      return {};
    }),
  ];
}

function version() {
  return { package: 'gantry', version: `v${gantryVersion}`, revision: '' };
}

export function worker(services: Services) {
  const { id, hostName, architecture } = services.engine.system.identity();
  return {
    id,
    labels: {
      'org.mobyproject.buildkit.worker.executor': 'oci',
      // From this label clients conclude that exporters, cache exports and pushes are the daemon's.
      'org.mobyproject.buildkit.worker.snapshotter': 'overlayfs',
      'org.mobyproject.buildkit.worker.hostname': hostName,
      'org.mobyproject.buildkit.worker.moby.host-gateway-ip': services.engine.networkController.hostGatewayIp,
    },
    platforms: [{ os: 'linux', architecture: goArchitectures[architecture] ?? architecture }],
    buildkitVersion: version(),
  };
}

async function solve(
  request: MessageOf<typeof solveRequest>,
  signal: AbortSignal,
  services: Services,
  sessions: BuildSessions,
  builds: RunningBuilds,
): Promise<Record<string, string>> {
  if (request.ref === '') throw new EngineError('invalid', 'a build without a ref');
  if ((request.definition?.operations.length ?? 0) > 0)
    throw new EngineError('notImplemented', 'building LLB is not supported');
  if (request.sourcePolicy.length > 0)
    throw new EngineError('notImplemented', 'source policies are not supported');
  const exporters = exportersOf(request);
  const references = new ReferencedImages(services, exporters);
  const build = new RunningBuild(request.ref, request.session, exporters, references);
  build.entitlements = request.entitlements;
  build.internal = request.internal;
  build.options = request.frontendAttributes;
  build.cacheTo = (request.cache?.exports ?? []).map(one => cacheEndpoint(one.type, one.attributes));
  builds.begin(build);
  try {
    const result = await resultOf(request, build, sessions, services, signal);
    build.answer = result.answer ?? {};
    return build.answer;
  } catch (error) {
    build.error = toGrpcError(error);
    throw error;
  } finally {
    await build.settle();
    await references.drop();
    builds.end(build);
  }
}

/** From the frontend that Solve names, or from the one that the client drives by the gateway. */
async function resultOf(
  request: MessageOf<typeof solveRequest>,
  build: RunningBuild,
  sessions: BuildSessions,
  services: Services,
  signal: AbortSignal,
): Promise<Pick<FrontendResult, 'answer'>> {
  if (request.frontend !== '') {
    const { frontend, frontendAttributes: options, frontendInputs: inputs } = request;
    return runFrontend({ frontend, options, inputs }, build, sessions, services, signal);
  }
  const gone = Promise.withResolvers<never>();
  const stop = () => gone.reject(new EngineError('cancelled', 'context canceled'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    const returned = await Promise.race([build.returned.promise, gone.promise]);
    const refs = [
      ...(returned?.refs?.refs.values() ?? []),
      ...(returned?.ref === undefined ? [] : [returned.ref]),
    ];
    const [first] = refs.filter(ref => ref.id !== '');
    if (first === undefined) return {};
    const result = build.results.get(first.id);
    if (result === undefined) throw new EngineError('notFound', `no such reference ${first.id}`);
    return result;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function exportersOf(request: MessageOf<typeof solveRequest>): Exporter[] {
  if (request.exporters.length > 0) return request.exporters;
  if (request.exporterDeprecated === '') return [];
  return [{ type: request.exporterDeprecated, attributes: request.exporterAttributesDeprecated }];
}
