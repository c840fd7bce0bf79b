import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { EngineError } from '../stdx/errors.ts';
import type { Call } from './call.ts';
import type { Hijacked } from './hijack.ts';
import { encodeWebSocketFrame, opcodes, WebSocketDecoder } from './websocket-frames.ts';

/** RFC 6455, 1.3: what every server hashes behind the client's key. */
const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** @throws EngineError `invalid` when it is no request for a websocket */
export function requireWebSocketRequest(call: Call): void {
  const { headers } = call.request;
  if (call.upgradeHead === undefined || headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new EngineError('invalid', 'not websocket protocol');
  }
  if (headers['sec-websocket-version'] !== '13') {
    throw new EngineError('invalid', 'missing or bad WebSocket Version');
  }
  if (headers['sec-websocket-key'] === undefined)
    throw new EngineError('invalid', 'challenge response error');
}

/**
 * Makes the connection a websocket. Both outputs go into it as they are, in binary messages; before API 1.28 in text
 * messages (moby, wsContainersAttach). To be called after `requireWebSocketRequest`, when nothing can be refused any
 * more.
 */
export function upgradeToWebSocket(call: Call): Hijacked {
  const { connection: socket, response, request } = call;
  response.detachSocket(socket as Socket);
  call.socket.setTimeout(0);
  call.socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}${magic}`)
    .digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);

  const input = new Readable({
    read: () => {
      socket.resume();
    },
  });
  const send = (opcode: number, payload: Uint8Array): boolean =>
    socket.destroyed || socket.writableEnded || socket.write(encodeWebSocketFrame(opcode, payload));
  const close = (payload: Uint8Array) => {
    if (socket.destroyed || socket.writableEnded) return;
    send(opcodes.close, payload);
    socket.end();
  };
  const decoder = new WebSocketDecoder({
    data: chunk => {
      if (!input.destroyed && !input.push(chunk)) socket.pause();
    },
    ping: payload => send(opcodes.pong, payload),
    // A client that closes has no more input and wants no more output.
    close,
  });
  const receive = (chunk: Buffer) => {
    try {
      decoder.push(chunk);
    } catch {
      close(protocolError);
    }
  };
  if (call.upgradeHead !== undefined && call.upgradeHead.length > 0) receive(call.upgradeHead);
  socket.on('data', receive);
  socket.on('end', () => {
    if (!input.destroyed) input.push(null);
  });
  const messageType = call.atLeast('1.28') ? opcodes.binary : opcodes.text;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (send(messageType, chunk)) done();
      else socket.once('drain', done);
    },
  });
  socket.once('close', () => {
    output.destroy();
    if (!input.readableEnded) input.destroy();
  });
  return {
    input,
    stdout: output,
    stderr: output,
    async end() {
      close(normalEnd);
      input.resume();
    },
  };
}

/** Status codes of closing, RFC 6455, 7.4.1. */
const normalEnd = Buffer.from([0x03, 0xe8]);
const protocolError = Buffer.from([0x03, 0xea]);
