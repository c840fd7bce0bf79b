import { connect as connectSocket, type Socket } from 'node:net';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';

/** Where a daemon listens. */
export type Endpoint =
  | { kind: 'unix'; path: string; address: string }
  | { kind: 'tcp'; host: string; port: number; address: string; tls?: TlsMaterial };

/** PEM texts. `verify` false: the server's certificate is not checked (--tls without --tlsverify). */
export interface TlsMaterial {
  ca?: string;
  cert?: string;
  key?: string;
  verify: boolean;
}

/**
 * @param address `unix:///run/x.sock`, `tcp://host:port`, `host:port`, `http(s)://...`
 * @throws invalid, in Docker's words; notImplemented for ssh:// and npipe://
 */
export function parseEndpoint(address: string, tls?: TlsMaterial): Endpoint {
  const text = address.includes('://') ? address : `tcp://${address}`;
  const separator = text.indexOf('://');
  const scheme = text.slice(0, separator);
  const rest = text.slice(separator + 3);
  switch (scheme) {
    case 'unix':
      if (rest === '') throw new EngineError('invalid', `unable to parse docker host \`${address}\``);
      return { kind: 'unix', path: rest, address: text };
    case 'tcp':
    case 'http':
    case 'https': {
      const url = URL.parse(`http://${rest}`);
      if (url === null) throw new EngineError('invalid', `unable to parse docker host \`${address}\``);
      const material = tls ?? (scheme === 'https' ? { verify: true } : undefined);
      const port = url.port === '' ? (material === undefined ? 2375 : 2376) : Number(url.port);
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost';
      return { kind: 'tcp', host, port, address: text, tls: material };
    }
    case 'ssh':
    case 'npipe':
      throw new EngineError('notImplemented', `${scheme}:// hosts are not supported: ${address}`);
    default:
      throw new EngineError('invalid', `invalid bind address format: ${address}`);
  }
}

/** @throws unavailable, in Docker's words, when nobody answers */
export async function openSocket(endpoint: Endpoint): Promise<Socket> {
  const socket = await dial(endpoint);
  return new Promise((resolve, reject) => {
    const ready = endpoint.kind === 'tcp' && endpoint.tls !== undefined ? 'secureConnect' : 'connect';
    socket.once('error', error => reject(connectError(endpoint, error)));
    socket.once(ready, () => {
      socket.removeAllListeners('error');
      if (endpoint.kind === 'tcp') socket.setNoDelay(true).setKeepAlive(true, 30_000);
      resolve(socket);
    });
  });
}

async function dial(endpoint: Endpoint): Promise<Socket> {
  if (endpoint.kind === 'unix') return connectSocket({ path: endpoint.path, allowHalfOpen: true });
  const { host, port, tls } = endpoint;
  if (tls === undefined) return connectSocket({ host, port, allowHalfOpen: true });
  // Loaded only here: node:tls doubles the start of a client that needs it in one case of a hundred.
  const { connect } = await import('node:tls');
  return connect({
    host,
    port,
    servername: /^[\d.]+$|:/.test(host) ? undefined : host,
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    rejectUnauthorized: tls.verify,
    ALPNProtocols: ['http/1.1'],
  });
}

function connectError(endpoint: Endpoint, error: unknown): EngineError {
  const code = errnoOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new EngineError(
      'unavailable',
      `permission denied while trying to connect to the daemon socket at ${endpoint.address}: ${messageOf(error)}`,
      { cause: error },
    );
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
    return new EngineError(
      'unavailable',
      `Cannot connect to the daemon at ${endpoint.address}. Is the daemon running?`,
      { cause: error },
    );
  }
  return new EngineError('unavailable', `error during connect: ${endpoint.address}: ${messageOf(error)}`, {
    cause: error,
  });
}
