import type { Socket } from 'node:net';
import { type Duplex, Readable, Writable } from 'node:stream';
import { encodeFrame } from '../api/frames.ts';
import { multiplexedStreamType, rawStreamType } from '../api/paths.ts';
import type { Call } from './call.ts';

/** A connection taken away from HTTP: from now on it carries a process's streams. */
export interface Hijacked {
  /** What the client sends; it ends when the client closes its direction, while output goes on. */
  input: Readable;
  stdout: Writable;
  stderr: Writable;
  /** Lets the output run dry and closes. */
  end(): Promise<void>;
}

/** Data that comes right behind a plain hijack request, as the parser's failure on it hands it over. */
export const earlyDataEvent = 'gantry:early-data';

/** How long a client may take to close its direction after we closed ours. */
const lingerMs = 10_000;

/**
 * Takes over the connection of an attach or exec request (moby's postContainersAttach, hijack). Two ways lead here:
 *
 * - `Connection: Upgrade`, `Upgrade: tcp` -> `101 UPGRADED`; node:http gives us the socket.
 * - the plain way of old clients -> `200 OK`, and then the same bytes. HTTP's parser is still on the socket and is
 *   taken off by removing its listeners (hijack.test.ts proves it for this version of Node).
 *
 * Without a terminal both outputs share the connection in frames (api/frames.ts), with one they are raw bytes.
 *
 * To be called when the request's body was read, and when nothing can be refused any more.
 */
export function hijack(call: Call, tty: boolean): Hijacked {
  const { connection: socket, response } = call;
  const early = call.upgradeHead ?? takeFromHttp(call);
  if (call.upgradeHead !== undefined) response.detachSocket(socket as Socket);
  call.socket.setTimeout(0);
  call.socket.setNoDelay(true);
  // Errors are seen as 'close' by everybody who cares.
  socket.on('error', () => socket.destroy());
  socket.write(answerHead(call, tty));
  const input = inputOf(socket, early);
  const outputs = tty ? [] : [framed(socket, 'stdout'), framed(socket, 'stderr')];
  const [stdout = socket, stderr = socket] = outputs;
  return {
    input,
    stdout,
    stderr,
    async end() {
      // Frames may still wait in them for the client to take the ones before.
      await Promise.all(outputs.map(emptied));
      socket.end();
      // What the client still sends must be read, or closing resets the connection and it loses our last bytes.
      input.resume();
      setTimeout(() => socket.destroy(), lingerMs).unref();
    },
  };
}

function answerHead(call: Call, tty: boolean): string {
  const type = !tty && call.atLeast('1.42') ? multiplexedStreamType : rawStreamType;
  const lines =
    call.upgradeHead === undefined
      ? ['HTTP/1.1 200 OK', `Content-Type: ${type}`]
      : ['HTTP/1.1 101 UPGRADED', `Content-Type: ${type}`, 'Connection: Upgrade', 'Upgrade: tcp'];
  const server = ['Api-Version', 'Server', 'Ostype', 'Docker-Experimental'].map(
    name => `${name}: ${call.response.getHeader(name)}`,
  );
  return `${[...lines, ...server].join('\r\n')}\r\n\r\n`;
}

/** Bytes of a plain hijack request that the parser saw behind its body and took for a broken second request. */
const earlyData = new WeakMap<Socket, Buffer>();

/**
 * To be called first thing by the handlers that may hijack: a client that does not wait for our answer makes the
 * parser fail before we have the socket, and this keeps what it sent.
 */
export function expectEarlyData(call: Call): void {
  if (call.upgradeHead !== undefined) return;
  const { socket, request } = call;
  const keep = (packet: Buffer) => {
    const head = packet.indexOf('\r\n\r\n');
    const bodyBytes = Number(request.headers['content-length'] ?? 0);
    if (head < 0) socket.destroy();
    else earlyData.set(socket, packet.subarray(head + 4 + bodyBytes));
  };
  socket.once(earlyDataEvent, keep);
  call.response.once('close', () => socket.off(earlyDataEvent, keep));
}

function takeFromHttp(call: Call): Buffer {
  const { socket, response } = call;
  for (const event of ['data', 'end', 'drain', 'timeout', 'error']) socket.removeAllListeners(event);
  response.detachSocket(socket);
  return earlyData.get(socket) ?? Buffer.alloc(0);
}

/**
 * The socket's input as a stream of its own. The socket itself will not do: whoever reads it to its end by
 * `for await` destroys it, and the output with it.
 */
function inputOf(socket: Duplex, early: Buffer): Readable {
  const input = new Readable({
    read: () => {
      socket.resume();
    },
    destroy(error, done) {
      socket.resume();
      done(error);
    },
  });
  if (early.length > 0) input.push(early);
  socket.on('data', chunk => {
    if (!input.destroyed && !input.push(chunk)) socket.pause();
  });
  socket.on('end', () => {
    if (!input.destroyed) input.push(null);
  });
  socket.on('close', () => {
    if (!input.readableEnded) input.destroy();
  });
  return input;
}

/** Puts every chunk in a frame; holds its writer back while the client does not take what was sent. */
function framed(socket: Duplex, stream: 'stdout' | 'stderr'): Writable {
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (socket.destroyed) done();
      else if (socket.write(encodeFrame(stream, chunk))) done();
      else onceDrained(socket, done);
    },
  });
  socket.once('close', () => writable.destroy());
  return writable;
}

/** Settles when all was written, or cannot be any more. */
function emptied(output: Writable): Promise<void> {
  return new Promise(resolve => {
    output.once('close', resolve);
    if (output.destroyed) resolve();
    else output.end();
  });
}

function onceDrained(socket: Duplex, done: () => void): void {
  const finish = () => {
    socket.off('drain', finish);
    socket.off('close', finish);
    done();
  };
  socket.on('drain', finish);
  socket.on('close', finish);
}
