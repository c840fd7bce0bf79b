import type { Socket } from 'node:net';
import { sessionHeader } from '../../api/buildkit/session.ts';
import { GrpcConnection } from '../../api/grpc/client.ts';
import { type GrpcServerOptions, serveGrpc } from '../../api/grpc/server.ts';
import type { Client } from '../client.ts';

/** BuildKit's control service of a daemon. */
export async function openControl(client: Client): Promise<GrpcConnection> {
  return GrpcConnection.over(plain(await client.hijack('POST', '/grpc', { upgrade: 'h2c' })));
}

export interface SessionOptions {
  id: string;
  /** Sessions that share one may share what was sent of their files. */
  sharedKey: string;
  /** Paths of what is served. */
  methods: readonly string[];
  serve: GrpcServerOptions;
}

/** Lets the daemon call this client: for files, passwords, secrets. */
export async function openSession(client: Client, options: SessionOptions): Promise<{ close(): void }> {
  const { id, sharedKey, methods, serve } = options;
  const headers = {
    [sessionHeader.id]: id,
    [sessionHeader.name]: 'gantry',
    [sessionHeader.sharedKey]: sharedKey,
    [sessionHeader.method]: methods,
  };
  const socket = plain(await client.hijack('POST', '/session', { upgrade: 'h2c', headers }));
  void serveGrpc(socket, serve);
  return { close: () => socket.destroy() };
}

function plain({ socket, received }: { socket: Socket; received: Buffer }): Socket {
  if (received.length > 0) socket.unshift(received);
  return socket;
}
