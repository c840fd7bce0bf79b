import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Method } from '../../api/buildkit/service.ts';
import { sessionHeader } from '../../api/buildkit/session.ts';
import { GrpcConnection } from '../../api/grpc/client.ts';
import type { Metadata } from '../../api/grpc/metadata.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import type { Fields, InitOf, MessageOf, MessageType } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';

/** How long a build waits for a session that its client may still be opening. */
const patienceMs = 10_000;

/** A client's side of its builds: its files, secrets, agents and passwords, which it serves while they run. */
export class BuildSession {
  readonly id: string;
  /** What sessions of the same context have in common; '' when the client says nothing of it. */
  readonly sharedKey: string;
  /** Paths of what the client serves. */
  readonly methods: ReadonlySet<string>;
  readonly connection: GrpcConnection;

  constructor(id: string, sharedKey: string, methods: ReadonlySet<string>, connection: GrpcConnection) {
    this.id = id;
    this.sharedKey = sharedKey;
    this.methods = methods;
    this.connection = connection;
  }

  async call<In extends Fields, Out extends Fields>(
    { path, request, response }: Method<In, Out>,
    message: InitOf<MessageType<In>>,
    options: { metadata?: Metadata; signal?: AbortSignal } = {},
  ): Promise<MessageOf<MessageType<Out>>> {
    return response.decode(await this.connection.unary(path, request.encode(message), options)) as MessageOf<
      MessageType<Out>
    >;
  }
}

/** The sessions that are open, by the id that the clients gave them. */
export class BuildSessions {
  readonly #open = new Map<string, BuildSession>();
  #waiting: (() => void)[] = [];

  /**
   * Keeps the session until its connection is gone.
   * @param header of what opened it, by lower-case name; several of one name are joined by commas
   */
  async serve(connection: Duplex, header: (name: string) => string | undefined): Promise<void> {
    const session = new BuildSession(
      header(sessionHeader.id) ?? '',
      header(sessionHeader.sharedKey) ?? '',
      new Set(header(sessionHeader.method)?.split(/, */)),
      GrpcConnection.over(connection),
    );
    this.#open.set(session.id, session);
    for (const wake of this.#waiting.splice(0)) wake();
    const { closed } = session.connection;
    if (!closed.aborted) await once(closed, 'abort');
    this.#open.delete(session.id);
  }

  /** To be asked before the connection is taken over. @throws EngineError */
  check(id: string | undefined): void {
    if (id === undefined || id === '') throw new EngineError('invalid', 'no session id in request');
    if (this.#open.has(id)) throw new EngineError('conflict', `session ${id} already exists`);
  }

  /** @throws EngineError `notFound` when it is not there in time */
  async get(id: string, signal: AbortSignal): Promise<BuildSession> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    for (;;) {
      const session = this.#open.get(id);
      if (session !== undefined) return session;
      if (deadline.aborted) throw new EngineError('notFound', `no active session for ${id}`);
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve);
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

/** Whether a client has no such thing to offer: it serves nothing of the kind, or knows no such name. */
export function isNotOffered(error: unknown): boolean {
  if (!(error instanceof GrpcError)) return false;
  return error.code === grpcCode.notFound || error.code === grpcCode.unimplemented;
}
