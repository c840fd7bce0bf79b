import { randomBytes } from 'node:crypto';
import { buildIdHeader, gatewayService } from '../../api/buildkit/gateway.ts';
import { statusMessage } from '../../api/buildkit/well-known.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Services } from '../call.ts';
import type { RunningBuilds } from './builds.ts';
import { worker } from './control.ts';
import { runFrontend } from './frontend.ts';
import { type MethodTable, unary } from './methods.ts';
import { definitionOfImage } from './references.ts';
import type { BuildSessions } from './sessions.ts';

/** What clients may ask of this daemon (buildkit, frontend/gateway/pb and solver/pb, caps.go). */
const frontendCapabilities = [
  'solve.base',
  'return',
  'returnmap',
  'proto.refarray',
  'reference.output',
  'frontend.inputs',
  'frontend.caps',
  'gateway.solve.metadata',
  'gateway.evaluate',
  'gateway.solve.evaluate',
  'gateway.warnings',
  'importcaches',
];
const llbCapabilities = [
  'source.image',
  'source.image.resolvemode',
  'source.local',
  'source.local.unique',
  'source.local.sessionid',
  'source.local.includepatterns',
  'source.local.followpaths',
  'source.local.excludepatterns',
  'source.local.sharedkeyhint',
  'source.buildop.llbfilename',
  'constraints',
  'platform',
  'meta.description',
  'exporter.multiple',
  'exporter.image.attestations',
];

/** The bridge by which buildx drives the Dockerfile frontend within a build that it has begun with Solve. */
export function gatewayMethods(
  services: Services,
  sessions: BuildSessions,
  builds: RunningBuilds,
): MethodTable {
  const buildOf = (call: GrpcCall) => builds.get(call.metadata.get(buildIdHeader)?.[0] ?? '', call.signal);
  return [
    unary(gatewayService.ping, async (_, call) => {
      await buildOf(call);
      return {
        frontendCapabilities: frontendCapabilities.map(id => ({ id, enabled: true })),
        llbCapabilities: llbCapabilities.map(id => ({ id, enabled: true })),
        workers: [worker(services)],
      };
    }),
    unary(gatewayService.solve, async (request, call) => {
      const build = await buildOf(call);
      const { frontend, frontendOptions: options, frontendInputs: inputs } = request;
      if (request.sourcePolicies.length > 0)
        throw new EngineError('notImplemented', 'source policies are not supported');
      if (frontend === '') return { result: emptyResult(request.definition) };
      const result = await build.carry(call.signal, signal =>
        runFrontend({ frontend, options, inputs }, build, sessions, services, signal),
      );
      const { imageId, metadata } = result;
      if (imageId === undefined) return { result: { metadata } };
      const id = randomBytes(16).toString('hex');
      build.results.set(id, result);
      return { result: { ref: { id, definition: definitionOfImage(imageId) }, metadata } };
    }),
    unary(gatewayService.return, async ({ result, error }, call) => {
      const build = await buildOf(call);
      if (error === undefined || error.code === grpcCode.ok) build.returned.resolve(result);
      else {
        const details = statusMessage.encode(error);
        build.returned.reject(new GrpcError(error.code, error.text, { details }));
      }
      return {};
    }),
    // What was solved has been built.
    unary(gatewayService.evaluate, async ({ ref }, call) => {
      const build = await buildOf(call);
      if (ref !== '' && !build.results.has(ref))
        throw new EngineError('notFound', `no such reference ${ref}`);
      return {};
    }),
    unary(gatewayService.inputs, async () => ({})),
    unary(gatewayService.warn, async ({ digest: vertex, ...warning }, call) => {
      (await buildOf(call)).log.append({ warnings: [{ vertex, ...warning }] });
      return {};
    }),
  ];
}

/** An empty graph is an empty result: clients solve it to say that there is nothing. */
function emptyResult(definition: { operations: readonly Buffer[] } | undefined) {
  if ((definition?.operations.length ?? 0) > 0)
    throw new EngineError('notImplemented', 'building LLB is not supported');
  return { ref: { id: '' } };
}
