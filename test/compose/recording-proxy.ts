import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { buffer, text } from 'node:stream/consumers';

/** What a client asked an engine to make: `networks/create` and its like, with the body. */
export interface Making {
  path: string;
  query: Record<string, string>;
  body: unknown;
}

/** Stands between a client and a daemon's socket, and keeps what the client wants made. */
export class RecordingProxy {
  readonly socket: string;
  readonly #engine: string;
  readonly #server: Server;
  makings: Making[] = [];
  /** Names of the containers that were made, by id. */
  readonly containers = new Map<string, string>();

  static async start(socket: string, engine: string): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(socket, engine);
    await new Promise<void>(resolve => proxy.#server.listen(socket, resolve));
    return proxy;
  }

  private constructor(socket: string, engine: string) {
    this.socket = socket;
    this.#engine = engine;
    this.#server = createServer((incoming, answer) => void this.#pass(incoming, answer));
  }

  async #pass(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    const url = new URL(incoming.url ?? '/', 'http://engine');
    const path = url.pathname.replace(/^\/v[\d.]+\//, '');
    if (incoming.method === 'POST' && /^(containers|networks|volumes)\/create$|\/connect$/.test(path))
      this.makings.push({
        path,
        query: Object.fromEntries(url.searchParams),
        body: JSON.parse(body.toString()),
      });
    const { method, url: target, headers } = incoming;
    const onward = request({ socketPath: this.#engine, method, path: target, headers }, reply => {
      answer.writeHead(reply.statusCode ?? 500, reply.headers);
      reply.pipe(answer);
      if (path === 'containers/create')
        void text(reply).then(said => {
          const { Id } = JSON.parse(said) as { Id?: string };
          if (Id !== undefined) this.containers.set(Id, url.searchParams.get('name') ?? '');
        });
    });
    onward.on('error', () => answer.destroy());
    onward.end(body);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
