import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { bytesMessage } from '../../api/buildkit/control.ts';
import { sshIdHeader, sshService } from '../../api/buildkit/session.ts';
import type { SshAgent } from '../../build/request.ts';
import { type BuildSession, isNotOffered } from './sessions.ts';

/**
 * The client's ssh agents as sockets of this host, for as long as a build runs. Each connection to one is a call to the
 * session, which the client joins with its agent.
 */
export class SshAgents {
  readonly #session: BuildSession;
  readonly #parent: string;
  readonly #signal: AbortSignal;
  readonly #agents = new Map<string, Promise<SshAgent | undefined>>();
  readonly #closers: (() => Promise<void>)[] = [];

  /** @param parent a directory for directories of sockets */
  constructor(session: BuildSession, parent: string, signal: AbortSignal) {
    this.#session = session;
    this.#parent = parent;
    this.#signal = signal;
  }

  /** undefined: the client has none of that id. */
  get(id: string): Promise<SshAgent | undefined> {
    let agent = this.#agents.get(id);
    if (agent === undefined) {
      agent = this.#open(id);
      this.#agents.set(id, agent);
    }
    return agent;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0)) await close();
  }

  async #open(id: string): Promise<SshAgent | undefined> {
    try {
      await this.#session.call(sshService.checkAgent, { id }, { signal: this.#signal });
    } catch (error) {
      // A client that was given agents answers for others with an error of no particular code.
      if (isNotOffered(error) || /unset ssh forward key/.test(String(error))) return undefined;
      throw error;
    }
    const directory = await mkdtemp(join(this.#parent, 'agent-'));
    this.#closers.push(() => rm(directory, { recursive: true, force: true }));
    // A socket's path has 107 bytes at most, which the data-root may have by itself: it goes by a descriptor.
    const handle = await open(directory, 'r');
    this.#closers.push(() => handle.close());
    const sockets = new Set<Socket>();
    const server = createServer(socket => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      // 'close' follows.
      socket.on('error', () => {});
      void this.#join(socket, id);
    });
    const socketPath = `/proc/self/fd/${handle.fd}/agent`;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, resolve);
    });
    this.#closers.unshift(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    });
    return { socketPath };
  }

  async #join(socket: Socket, id: string): Promise<void> {
    try {
      const metadata = new Map([[sshIdHeader, [id]]]);
      const exchange = this.#session.connection.call(sshService.forwardAgent.path, {
        metadata,
        signal: this.#signal,
      });
      socket.once('close', () => exchange.cancel());
      const sending = (async () => {
        for await (const data of socket as AsyncIterable<Buffer>) {
          await exchange.send(bytesMessage.encode({ data }));
        }
        exchange.end();
      })();
      sending.catch(() => {
        // The end of the answers says why.
      });
      for await (const message of exchange.messages) socket.write(bytesMessage.decode(message).data);
    } catch {
      // The agent is gone: its user sees the connection end.
    }
    socket.destroy();
  }
}
