import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

export type StreamAddress =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'unix'; path: string }
  | { kind: 'tls'; host: string; port: number; tls: TlsFiles };

/** Paths; read at every connection, so that renewed certificates are used. */
export interface TlsFiles {
  ca?: string;
  cert?: string;
  key?: string;
  skipVerify?: boolean;
}

/** How long a receiver may take to accept a connection, or to take what is sent. */
const patienceMs = 10_000;

/** A connection to a receiver that is made when something is to be sent and there is none. */
export class StreamConnection {
  readonly #address: StreamAddress;
  readonly #onData: ((chunk: Buffer) => void) | undefined;
  #socket: Socket | undefined;

  constructor(address: StreamAddress, onData?: (chunk: Buffer) => void) {
    this.#address = address;
    this.#onData = onData;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** Settles when the kernel has all of it. @throws when there is no connection, or it broke; it is closed then */
  async send(bytes: Buffer): Promise<void> {
    // A connection that the receiver has closed takes bytes and loses them. The second turn of the event loop has
    // looked at all sockets, so what was closed before this call is known then.
    for (let turn = 0; turn < 2 && this.#socket !== undefined; turn++) await setImmediate();
    this.#socket ??= await this.#connect();
    const socket = this.#socket;
    try {
      await withinPatience(socket, done => socket.write(bytes, error => done(error)));
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  /** Closes at once. */
  drop(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** Closes after the receiver had the chance to take what is in the kernel. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.destroyed) return;
    await new Promise<void>(resolve => socket.once('close', () => resolve()).end(() => socket.destroySoon()));
  }

  async #connect(): Promise<Socket> {
    const socket = openSocket(this.#address);
    const ready = this.#address.kind === 'tls' ? 'secureConnect' : 'connect';
    try {
      await withinPatience(socket, done => socket.once(ready, () => done()));
    } catch (error) {
      socket.destroy();
      throw error;
    }
    const forget = () => {
      if (this.#socket === socket) this.#socket = undefined;
      socket.destroy();
    };
    // A receiver that closes its side is gone: what is sent now would be lost.
    socket.on('end', forget).on('close', forget).on('error', forget);
    socket.on('data', (chunk: Buffer) => this.#onData?.(chunk));
    return socket;
  }
}

function openSocket(address: StreamAddress): Socket {
  if (address.kind === 'unix') return connect({ path: address.path });
  const { host, port } = address;
  if (address.kind === 'tcp') return connect({ host, port, noDelay: true });
  const { ca, cert, key, skipVerify = false } = address.tls;
  return connectTls({
    host,
    port,
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    rejectUnauthorized: !skipVerify,
    ca: readIfNamed(ca),
    cert: readIfNamed(cert),
    key: readIfNamed(key),
  });
}

function readIfNamed(path: string | undefined): Buffer | undefined {
  return path === undefined || path === '' ? undefined : readFileSync(path);
}

function withinPatience(
  socket: Socket,
  begin: (done: (error?: Error | null) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error | null) => {
      clearTimeout(timer);
      socket.off('error', finish).off('close', closed);
      if (error) reject(error);
      else resolve();
    };
    const closed = () => finish(new Error('the receiver closed the connection'));
    const timer = setTimeout(() => finish(new Error('the receiver does not answer')), patienceMs);
    socket.once('error', finish).once('close', closed);
    begin(finish);
  });
}
