import { statusResponse } from '../../api/buildkit/control.ts';
import { sessionHeader } from '../../api/buildkit/session.ts';
import type { GrpcHandler } from '../../api/grpc/server.ts';
import { serveGrpc } from '../../api/grpc/server.ts';
import type { Call, Services } from '../call.ts';
import { ProgressStream } from '../progress-stream.ts';
import { RunningBuild, RunningBuilds } from './builds.ts';
import { controlMethods } from './control.ts';
import { toGrpcError } from './errors.ts';
import { runFrontend } from './frontend.ts';
import { gatewayMethods } from './gateway.ts';
import { oneRequestOf, uploadRemote } from './one-request.ts';
import { ReferencedImages } from './referenced-images.ts';
import { BuildSessions } from './sessions.ts';
import { upgradeToHttp2 } from './upgrade.ts';
import { Uploads } from './uploads.ts';

/**
 * BuildKit's API: two kinds of connections that begin as HTTP requests and go on as gRPC. On `/grpc` the client asks,
 * for a build and for what happens in it; on `/session` the daemon asks, for the client's files, secrets and passwords.
 */
export class BuildKit {
  readonly #sessions = new BuildSessions();
  readonly #builds = new RunningBuilds();
  readonly #uploads = new Uploads();
  readonly #methods: ReadonlyMap<string, GrpcHandler>;
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
    this.#methods = new Map([
      ...controlMethods(services, this.#sessions, this.#builds),
      ...gatewayMethods(services, this.#sessions, this.#builds),
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

  /** A build in one request, or the context of one: see one-request.ts. */
  async build(call: Call): Promise<void> {
    const upload = call.query.text('buildid').split(`${uploadRemote}:`)[1];
    if (upload !== undefined) {
      await this.#uploads.bring(upload, call.request, call.signal);
      call.json({});
      return;
    }
    const { ref, sessionId, options, exporters, entitlements } = oneRequestOf(call);
    const references = new ReferencedImages(this.#services, exporters);
    const build = new RunningBuild(ref, sessionId, exporters, references);
    build.entitlements = entitlements;
    build.options = options;
    build.openUpload = signal => this.#uploads.take(ref, signal);
    this.#builds.begin(build);
    const quiet = call.query.flag('q');
    const stream = new ProgressStream(call);
    stream.open();
    await stream.carry(async () => {
      // With `-q` the image's id is all that is wanted.
      const told = quiet ? undefined : tell(build, stream, call.signal);
      try {
        const request = { frontend: 'dockerfile.v0', options, inputs: new Map() };
        const { imageId } = await runFrontend(request, build, this.#sessions, this.#services, call.signal);
        if (imageId === undefined) return;
        if (quiet) stream.send({ stream: `${imageId}\n` });
        else stream.send({ id: 'moby.image.id', aux: { ID: imageId } });
      } finally {
        await references.drop();
        this.#builds.end(build);
        await told;
        this.#uploads.done(ref);
      }
    });
  }
}

/** What happens in a build, as messages of an answer in JSON. */
async function tell(build: RunningBuild, stream: ProgressStream, signal: AbortSignal): Promise<void> {
  for await (const update of build.log.follow(signal)) {
    stream.send({ id: 'moby.buildkit.trace', aux: statusResponse.encode(update).toString('base64') });
  }
}

/** One for each server: sessions and builds find each other in it. */
const instances = new WeakMap<Services, BuildKit>();

export function buildkitOf({ services }: Call): BuildKit {
  let instance = instances.get(services);
  if (instance === undefined) {
    instance = new BuildKit(services);
    instances.set(services, instance);
  }
  return instance;
}
