import { sessionHeader } from '../../api/buildkit/session.ts';
import type { GrpcHandler } from '../../api/grpc/server.ts';
import { serveGrpc } from '../../api/grpc/server.ts';
import type { Call, Services } from '../call.ts';
import { RunningBuilds } from './builds.ts';
import { controlMethods } from './control.ts';
import { toGrpcError } from './errors.ts';
import { gatewayMethods } from './gateway.ts';
import { BuildSessions } from './sessions.ts';
import { upgradeToHttp2 } from './upgrade.ts';

/**
 * BuildKit's API: two kinds of connections that begin as HTTP requests and go on as gRPC. On `/grpc` the client asks,
 * for a build and for what happens in it; on `/session` the daemon asks, for the client's files, secrets and passwords.
 */
export class BuildKit {
  readonly #sessions = new BuildSessions();
  readonly #methods: ReadonlyMap<string, GrpcHandler>;
  readonly #services: Services;

  constructor(services: Services) {
    const builds = new RunningBuilds();
    this.#services = services;
    this.#methods = new Map([
      ...controlMethods(services, this.#sessions, builds),
      ...gatewayMethods(services, this.#sessions, builds),
    ]);
  }

  async serveControl(call: Call): Promise<void> {
    const connection = upgradeToHttp2(call);
    await serveGrpc(connection, {
      find: path => this.#methods.get(path),
      toGrpcError: error => {
        this.#services.log.debug({ err: error }, 'BuildKit request failed');
        return toGrpcError(error);
      },
    });
  }

  async serveSession(call: Call): Promise<void> {
    const header = (name: string) => {
      const value = call.request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    this.#sessions.check(header(sessionHeader.id));
    await this.#sessions.serve(upgradeToHttp2(call), header);
  }
}
