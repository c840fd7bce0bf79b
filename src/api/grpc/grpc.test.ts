import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { GrpcConnection } from './client.ts';
import { messageLimitBytes } from './framing.ts';
import { type GrpcHandler, serveGrpc } from './server.ts';
import { decodeGrpcMessage, encodeGrpcMessage, GrpcError, grpcCode } from './status.ts';

describe('grpc', () => {
  const handlers: Record<string, GrpcHandler> = {
    async '/t/Echo'(call) {
      for await (const message of call.messages) await call.send(message);
    },
    async '/t/Refuse'() {
      throw new GrpcError(grpcCode.notFound, 'nothing "here": 100 % né\n', {
        details: Buffer.from([1, 2, 3]),
      });
    },
    async '/t/Metadata'(call) {
      await call.send(Buffer.from(JSON.stringify([...call.metadata])));
    },
    async '/t/Wait'(call) {
      await call.send(Buffer.from('waiting'));
      if (!call.signal.aborted) await once(call.signal, 'abort');
      aborted.resolve();
    },
  };
  const aborted = Promise.withResolvers<void>();
  let server: Server;
  let socket: Socket;
  let client: GrpcConnection;

  before(async () => {
    server = createServer(
      connection =>
        void serveGrpc(connection, {
          find: path => handlers[path],
          toGrpcError: error =>
            error instanceof GrpcError ? error : new GrpcError(grpcCode.unknown, String(error)),
        }),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    await once(socket, 'connect');
    client = GrpcConnection.over(socket);
  });

  after(() => {
    client.close();
    server.close();
  });

  test('one message each way', async () => {
    assert.equal((await client.unary('/t/Echo', Buffer.from('hello'))).toString(), 'hello');
  });

  test('messages larger than the windows pass, in turn', async () => {
    const exchange = client.call('/t/Echo');
    const sent = [1, 9 * 1024 * 1024, 0, 70_000].map((size, index) => Buffer.alloc(size, index + 1));
    const sending = (async () => {
      for (const message of sent) await exchange.send(message);
      exchange.end();
    })();
    const received: Buffer[] = [];
    for await (const message of exchange.messages) received.push(Buffer.from(message));
    await sending;
    assert.deepEqual(received, sent);
  });

  test('a failure has its code, its words and its details', async () => {
    await assert.rejects(client.unary('/t/Refuse', Buffer.alloc(0)), (error: GrpcError) => {
      assert.equal(error.code, grpcCode.notFound);
      assert.equal(error.message, 'nothing "here": 100 % né\n');
      assert.deepEqual(Buffer.from(error.details!), Buffer.from([1, 2, 3]));
      return true;
    });
    await assert.rejects(client.unary('/t/Nothing', Buffer.alloc(0)), { code: grpcCode.unimplemented });
  });

  test('headers of the same name stay apart', async () => {
    const metadata = new Map([['paths', ['a,b', 'c']]]);
    const answer = await client.unary('/t/Metadata', Buffer.alloc(0), { metadata });
    assert.deepEqual(JSON.parse(answer.toString()), [['paths', ['a,b', 'c']]]);
  });

  test('a message above the limit ends the call', async () => {
    const exchange = client.call('/t/Echo');
    const reading = assert.rejects(
      async () => {
        for await (const _ of exchange.messages);
      },
      { code: grpcCode.resourceExhausted },
    );
    await exchange.send(Buffer.alloc(messageLimitBytes + 1)).catch(() => {});
    await reading;
    exchange.cancel();
  });

  test('giving up reaches the other side', async () => {
    const exchange = client.call('/t/Wait');
    const first = await exchange.messages.next();
    assert.equal((first.value as Buffer).toString(), 'waiting');
    exchange.cancel();
    await aborted.promise;
    await assert.rejects(exchange.messages.next(), { code: grpcCode.cancelled });
  });

  test('words in headers', () => {
    for (const text of ['', 'plain', 'né %41 \n', '"quoted"']) {
      assert.equal(decodeGrpcMessage(encodeGrpcMessage(text)), text);
    }
    assert.match(encodeGrpcMessage('né\n'), /^[\x20-\x7e]*$/);
  });
});
