import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';

/** How long one server has; clients give up after five seconds or so, so a second server can still help. */
const serverTimeoutMs = 2500;
const dnsPort = 53;
const headerBytes = 12;

/** A new socket in the network from which servers are asked; its file descriptor. */
export type OpenSocket = (protocol: 'udp' | 'tcp', family: 4 | 6) => number;

/**
 * Asks upstream servers, one after the other until one has an answer. Messages pass as they are, but for their id: it
 * is random, and so is the port, so that nobody can guess an answer.
 * @returns the answer under the question's own id, or undefined when no server gave one.
 */
export async function forward(
  query: Buffer,
  protocol: 'udp' | 'tcp',
  servers: readonly string[],
  openSocket: OpenSocket,
): Promise<Buffer | undefined> {
  let failure: Buffer | undefined;
  for (const server of servers) {
    const fd = openSocket(protocol, familyOf(server));
    const answer = await (protocol === 'udp' ? askByUdp(query, server, fd) : askByTcp(query, server, fd));
    if (answer === undefined) continue;
    if (!isServerFault(answer)) return withId(answer, query);
    failure ??= answer;
  }
  return failure === undefined ? undefined : withId(failure, query);
}

function askByUdp(query: Buffer, server: string, fd: number): Promise<Buffer | undefined> {
  const sent = withRandomId(query);
  return new Promise(resolve => {
    const socket = dgram.createSocket(familyOf(server) === 6 ? 'udp6' : 'udp4');
    socket.bind({ fd });
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      // An error that comes after the answer has nobody to tell.
      socket.on('error', () => {});
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), serverTimeoutMs);
    socket.on('error', () => finish(undefined));
    socket.on('message', message => {
      if (answers(message, sent)) finish(message);
    });
    // A connected socket hears of a refused port at once, and nothing from others.
    // Without a route to the server the callback gets the error that its types do not tell of.
    socket.connect(dnsPort, server, (error?: Error) => (error ? finish(undefined) : socket.send(sent)));
  });
}

/** Messages over TCP have their length in two bytes in front (RFC 1035 4.2.2). */
function askByTcp(query: Buffer, server: string, fd: number): Promise<Buffer | undefined> {
  const sent = withRandomId(query);
  return new Promise(resolve => {
    // Nothing can be read before it is connected: it must not try at once.
    const options: net.SocketConstructorOpts & { manualStart: boolean } = { fd, manualStart: true };
    const socket = new net.Socket({ ...options, readable: true, writable: true });
    let received = Buffer.alloc(0);
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), serverTimeoutMs);
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const message = received.subarray(2, 2 + received.readUInt16BE(0));
      finish(answers(message, sent) ? message : undefined);
    });
    socket.connect({ host: server, port: dnsPort });
    socket.write(withLength(sent));
  });
}

function familyOf(server: string): 4 | 6 {
  return server.includes(':') ? 6 : 4;
}

/** A message as TCP carries it. */
export function withLength(message: Buffer): Buffer {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length);
  message.copy(framed, 2);
  return framed;
}

function withRandomId(query: Buffer): Buffer {
  const copy = Buffer.from(query);
  copy.writeUInt16BE(randomInt(0x10000));
  return copy;
}

function withId(answer: Buffer, query: Buffer): Buffer {
  const copy = Buffer.from(answer);
  query.copy(copy, 0, 0, 2);
  return copy;
}

function answers(message: Buffer, sent: Buffer): boolean {
  return (
    message.length >= headerBytes &&
    message.readUInt16BE(0) === sent.readUInt16BE(0) &&
    (message[2]! & 0x80) !== 0
  );
}

/** SERVFAIL and REFUSED: another server may know better. */
function isServerFault(answer: Buffer): boolean {
  const rcode = answer[3]! & 0x0f;
  return rcode === 2 || rcode === 5;
}
