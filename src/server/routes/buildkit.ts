import { BuildKit } from '../buildkit/buildkit.ts';
import type { Call, Route, Services } from '../call.ts';

export const buildkitRoutes: readonly Route[] = [
  { method: 'POST', path: '/grpc', handler: call => buildkitOf(call).serveControl(call) },
  { method: 'POST', path: '/session', handler: call => buildkitOf(call).serveSession(call) },
];

/** One for each server: sessions and builds find each other in it. */
const instances = new WeakMap<Services, BuildKit>();

function buildkitOf({ services }: Call): BuildKit {
  let instance = instances.get(services);
  if (instance === undefined) {
    instance = new BuildKit(services);
    instances.set(services, instance);
  }
  return instance;
}
