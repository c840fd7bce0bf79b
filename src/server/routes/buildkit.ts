import { buildkitOf } from '../buildkit/buildkit.ts';
import type { Route } from '../call.ts';

export const buildkitRoutes: readonly Route[] = [
  { method: 'POST', path: '/grpc', handler: call => buildkitOf(call).serveControl(call) },
  { method: 'POST', path: '/session', handler: call => buildkitOf(call).serveSession(call) },
];
