import { connect } from 'node:net';
import { bytesMessage } from '../../api/buildkit/control.ts';
import {
  exporterIdHeader,
  fileDigestService,
  fileSendService,
  fileSyncService,
  smallFilesService,
} from '../../api/buildkit/filesync.ts';
import {
  authService,
  secretsService,
  sshIdHeader,
  sshService,
  uploadService,
} from '../../api/buildkit/session.ts';
import type { GrpcCall, GrpcHandler, GrpcServerOptions } from '../../api/grpc/server.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import { int32, message, single } from '../../api/protobuf.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { Agent } from './agents.ts';
import { type ContentStores, contentHandlers } from './content.ts';
import { serveKeys } from './key-agent.ts';
import type { OfferedDirectories } from './offered-directories.ts';

/** What a build may ask of the client that started it. */
export interface Offers {
  directories: OfferedDirectories;
  /** undefined: there is no such secret. */
  secret(id: string): Buffer | undefined;
  /** ssh agents, by id. */
  agents: ReadonlyMap<string, Agent>;
  /** A tar from standard input; undefined: none. */
  upload: AsyncIterable<Uint8Array> | undefined;
  /** undefined: nothing is known for that host. */
  credentials(host: string): { username: string; secret: string } | undefined;
  /** Takes what an exporter writes. @param index of the exporter, from 0 */
  receive(index: number, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Directories of blobs: caches, and contexts that are OCI layouts. */
  stores: ContentStores;
}

const healthPath = '/grpc.health.v1.Health/Check';
const healthResponse = message({ status: single(1, int32) });
const serving = 1;

/** The services of a session. */
export function serveOffers(offers: Offers): { methods: string[]; serve: GrpcServerOptions } {
  const { directories } = offers;
  const handlers = new Map<string, GrpcHandler>([
    // The daemon asks now and then whether the client is still there.
    [healthPath, unary(async () => healthResponse.encode({ status: serving }))],
    [fileSyncService.diffCopy.path, call => directories.send(call)],
    [fileDigestService.digest.path, call => directories.digest(call)],
    [smallFilesService.read.path, call => directories.read(call)],
    [
      authService.credentials.path,
      unary(async bytes => {
        const { request, response } = authService.credentials;
        const { host } = request.decode(bytes);
        return response.encode(offers.credentials(host) ?? {});
      }),
    ],
    [
      secretsService.getSecret.path,
      unary(async bytes => {
        const { request, response } = secretsService.getSecret;
        const { id } = request.decode(bytes);
        const data = offers.secret(id);
        if (data === undefined) throw new GrpcError(grpcCode.notFound, `secret ${id} not found`);
        return response.encode({ data });
      }),
    ],
  ]);
  if (offers.agents.size > 0) {
    handlers.set(
      sshService.checkAgent.path,
      unary(async bytes => {
        agentOf(offers, sshService.checkAgent.request.decode(bytes).id);
        return sshService.checkAgent.response.encode({});
      }),
    );
    handlers.set(sshService.forwardAgent.path, call => forwardAgent(offers, call));
  }
  if (offers.stores.size > 0) {
    for (const [path, handler] of contentHandlers(offers.stores)) handlers.set(path, handler);
  }
  if (offers.upload !== undefined) {
    const { upload } = offers;
    handlers.set(uploadService.pull.path, async call => {
      for await (const data of upload) await call.send(bytesMessage.encode({ data }));
    });
  }
  handlers.set(fileSendService.file.path, call =>
    offers.receive(Number(call.metadata.get(exporterIdHeader)?.[0] ?? 0), contentOf(call)),
  );
  return {
    methods: [...handlers.keys()].filter(path => path !== healthPath),
    serve: { find: path => handlers.get(path), toGrpcError },
  };
}

function unary(answer: (request: Buffer) => Promise<Buffer>): GrpcHandler {
  return async call => {
    for await (const request of call.messages) {
      await call.send(await answer(request));
      return;
    }
  };
}

async function* contentOf(call: GrpcCall): AsyncGenerator<Buffer> {
  for await (const bytes of call.messages) yield bytesMessage.decode(bytes).data;
}

function agentOf({ agents }: Offers, id: string): Agent {
  const agent = agents.get(id === '' ? 'default' : id);
  if (agent === undefined) throw new GrpcError(grpcCode.notFound, `unset ssh forward key ${id}`);
  return agent;
}

async function forwardAgent(offers: Offers, call: GrpcCall): Promise<void> {
  const agent = agentOf(offers, call.metadata.get(sshIdHeader)?.[0] ?? '');
  if ('keys' in agent) {
    for await (const data of serveKeys(agent.keys, contentOf(call))) {
      await call.send(bytesMessage.encode({ data }));
    }
    return;
  }
  const socket = connect(agent.socketPath);
  const answering = (async () => {
    for await (const data of socket) await call.send(bytesMessage.encode({ data: data as Buffer }));
  })();
  // Its failure is the call's, below.
  answering.catch(() => {});
  call.signal.addEventListener('abort', () => socket.destroy());
  for await (const bytes of call.messages) socket.write(bytesMessage.decode(bytes).data);
  socket.end();
  await answering;
}

function toGrpcError(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const code =
    error instanceof EngineError && error.kind === 'notFound' ? grpcCode.notFound : grpcCode.unknown;
  return new GrpcError(code, messageOf(error), { cause: error });
}
