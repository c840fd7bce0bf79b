import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Http2Connection } from './connection.ts';
import { frame, frameFlag, frameType, preface, settingsPayload } from './frames.ts';
import { encodeHeaders, type Header, HeaderDecoder } from './hpack.ts';
import type { Http2Stream } from './stream.ts';

const portOf = (server: Server | Http2Server): number => (server.address() as { port: number }).port;

async function bytesOf(stream: Http2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.chunks()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe('headers', () => {
  const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

  test("RFC 7541's requests, with and without Huffman's code (C.3 and C.4)", () => {
    const expected: Header[][] = [
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
      ],
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
        ['cache-control', 'no-cache'],
      ],
      [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/index.html'],
        [':authority', 'www.example.com'],
        ['custom-key', 'custom-value'],
      ],
    ];
    const plain = [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ];
    const coded = [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ];
    for (const blocks of [plain, coded]) {
      const decoder = new HeaderDecoder();
      for (const [index, block] of blocks.entries())
        assert.deepEqual(decoder.decode(hex(block), 10_000), expected[index]);
    }
  });

  test('what is encoded is decoded', () => {
    const headers: Header[] = [
      [':method', 'POST'],
      [':path', `/${'x'.repeat(300)}`],
      ['empty', ''],
      ['bytes', Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')],
    ];
    assert.deepEqual(new HeaderDecoder().decode(encodeHeaders(headers), 10_000), headers);
  });

  for (const [name, block] of [
    ['an entry that is not there', 'c0'],
    ['a string that is cut off', '40 05 61'],
    ['a block that is cut off', '40'],
    ['a number without end', 'ff ff ff ff ff ff ff'],
    ['a table that is too large', '3f e2 1f'],
    ["zeros after Huffman's code", '40 81 18 81 1f'],
    ["Huffman's end of a string", '40 84 ff ff ff ff 00'],
  ] as const) {
    test(`${name} is refused`, () =>
      assert.throws(() => new HeaderDecoder().decode(hex(block), 10_000), RangeError));
  }

  test('more than is allowed is refused', () => {
    assert.throws(
      () => new HeaderDecoder().decode(encodeHeaders([['a', 'b'.repeat(1000)]]), 1000),
      /too many headers/,
    );
  });
});

// Node's own is the other side: what one has understood, the other has said.
describe("with Node's server", () => {
  let server: Http2Server;
  let connection: Http2Connection;

  before(async () => {
    server = createHttp2Server({ settings: { initialWindowSize: 1000, maxConcurrentStreams: 2 } });
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => {});
      if (headers[':path'] === '/refuse') {
        stream.close(0x8);
        return;
      }
      stream.respond(
        { ':status': 200, seen: String(headers['asked']), ...everyByte },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ trailing: 'x'.repeat(40_000) }));
      stream.pipe(stream);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect(portOf(server), '127.0.0.1');
    await once(socket, 'connect');
    connection = new Http2Connection(socket);
  });

  after(() => {
    connection.close();
    server.close();
  });

  /** All that headers may have, so that each code of Huffman's is met that ever is. */
  const everyByte = {
    every: Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index))
      .join('')
      .trim(),
    high: Array.from({ length: 0x80 }, (_, index) => String.fromCharCode(0x80 + index)).join(''),
  };

  const request = (path: string): Http2Stream =>
    connection.request([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'localhost'],
      ['asked', 'y'.repeat(20_000)],
    ]);

  test('more calls at once than it takes, each larger than its windows', async () => {
    // With the first answer it is known how many it takes.
    const first = request('/echo');
    first.end();
    await bytesOf(first);
    await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        const stream = request('/echo');
        const sent = Buffer.alloc(200_000 + index, index + 1);
        const writing = (async () => {
          for (let at = 0; at < sent.length; at += 30_000) await stream.write(sent.subarray(at, at + 30_000));
          stream.end();
        })();
        assert.deepEqual(await bytesOf(stream), sent);
        await writing;
        await stream.closed;
        const [headers, trailers] = stream.headers.map(one => new Map(one));
        assert.equal(headers!.get('seen'), 'y'.repeat(20_000));
        assert.equal(headers!.get('every'), everyByte.every);
        assert.equal(headers!.get('high'), everyByte.high);
        assert.equal(trailers!.get('trailing'), 'x'.repeat(40_000));
      }),
    );
  });

  test('a stream that is cut off', async () => {
    const stream = request('/refuse');
    await assert.rejects(bytesOf(stream), /gone/);
    assert.equal(stream.resetCode, 0x8);
    await assert.rejects(stream.write(Buffer.from('x')), /gone/);
  });
});

describe('with other clients', () => {
  let server: Server;
  const accepted: Http2Stream[] = [];

  before(async () => {
    server = createServer(socket => {
      new Http2Connection(socket, stream => {
        accepted.push(stream);
        void (async () => {
          const { length } = await bytesOf(stream);
          stream.respond([
            [':status', '200'],
            ['path', new Map(stream.headers[0]).get(':path')!],
          ]);
          await stream.write(Buffer.alloc(length, 'a'));
          stream.end([['status', String(length)]]);
        })().catch(() => {});
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());

  test("Node's", async () => {
    const client = connectHttp2(`http://127.0.0.1:${portOf(server)}`);
    for (const size of [0, 1, 300_000, 6_000_000]) {
      const stream = client.request({ ':method': 'POST', ':path': `/${size}`, long: 'z'.repeat(30_000) });
      const trailers = once(stream, 'trailers');
      const answer = once(stream, 'response');
      stream.end(Buffer.alloc(size));
      let received = 0;
      stream.on('data', chunk => (received += chunk.length));
      const [[headers], [trailing]] = await Promise.all([answer, trailers]);
      await once(stream, 'close');
      assert.deepEqual([headers.path, trailing.status, received], [`/${size}`, String(size), size]);
    }
    client.close();
    await once(client, 'close');
  });

  const settings = frame(frameType.settings, 0, 0, settingsPayload({}));
  const head = encodeHeaders([
    [':method', 'POST'],
    [':path', '/'],
  ]);
  const open = frame(frameType.headers, frameFlag.endHeaders, 1, head);

  for (const [name, ...bytes] of [
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['no settings', preface, open],
    ['data of no stream', preface, settings, frame(frameType.data, 0, 1, Buffer.from('x'))],
    ['a reset of no stream', preface, settings, frame(frameType.reset, 0, 5, Buffer.alloc(4))],
    ['an even stream', preface, settings, frame(frameType.headers, frameFlag.endHeaders, 2, head)],
    ['headers broken off', preface, settings, frame(frameType.headers, 0, 1, head), settings],
    [
      'headers that are none',
      preface,
      settings,
      frame(frameType.headers, frameFlag.endHeaders, 1, Buffer.of(0xff)),
    ],
    ['all padding', preface, settings, open, frame(frameType.data, frameFlag.padded, 1, Buffer.of(9, 0))],
    [
      'a window too large',
      preface,
      settings,
      frame(frameType.windowUpdate, 0, 0, Buffer.from('7fffffff', 'hex')),
    ],
    ['a large frame', preface, settings, open, frame(frameType.data, 0, 1, Buffer.alloc(20_000))],
    ['headers without end', preface, settings, frame(frameType.headers, 0, 1, head), ...continuations(2000)],
  ] as const) {
    test(`${name} ends the connection`, async () => {
      const socket: Socket = connect(portOf(server), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(Buffer.concat(bytes));
      socket.resume();
      await once(socket, 'close');
    });
  }

  function continuations(count: number): Buffer[] {
    return Array.from({ length: count }, () => frame(frameType.continuation, 0, 1, Buffer.alloc(0)));
  }

  test('whatever frames come, in whatever order, nothing else ends', async () => {
    const frames = fc.array(
      fc.record({
        type: fc.nat(10),
        flags: fc.constantFrom(0, 1, 4, 5, 8, 9, 12, 13, 0x20, 0x24, 0x2d, 0xff),
        stream: fc.nat(7),
        payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(head))),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(frames, fc.boolean(), async (list, isServer) => {
        const streams: Http2Stream[] = [];
        const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
        const answer = (stream: Http2Stream) => {
          streams.push(stream);
          stream.respond([[':status', '200']]);
          stream.write(Buffer.alloc(100)).catch(() => {});
          stream.end([['grpc-status', '0']]);
        };
        const connection = new Http2Connection(socket, isServer ? answer : undefined);
        if (!isServer) {
          for (const path of ['/a', '/b']) {
            const stream = connection.request([[':path', path]]);
            streams.push(stream);
            bytesOf(stream).catch(() => {});
            stream.write(Buffer.alloc(100)).catch(() => {});
          }
        }
        const bytes = list.map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));
        socket.push(Buffer.concat([...(isServer ? [preface] : []), settings, ...bytes]));
        socket.push(null);
        if (!connection.closed.aborted) await once(connection.closed, 'abort');
        // Nobody waits for what cannot come any more.
        await Promise.all(streams.map(stream => stream.closed));
      }),
      { numRuns: 300 },
    );
  });

  test('padding, priorities, frames cut anywhere, and a connection that goes', async () => {
    const socket: Socket = connect(portOf(server), '127.0.0.1');
    const priority = frameFlag.priority | frameFlag.padded | frameFlag.endHeaders;
    const padded = Buffer.concat([Buffer.of(2), Buffer.alloc(5), head, Buffer.alloc(2)]);
    const all = Buffer.concat([
      ...[
        preface,
        settings,
        frame(frameType.headers, priority, 1, padded),
        frame(0xfa, 0, 1, Buffer.from('new')),
      ],
      frame(frameType.data, frameFlag.padded, 1, Buffer.from('\x03abc\0\0\0', 'latin1')),
    ]);
    accepted.length = 0;
    socket.setNoDelay(true);
    for (const byte of all) socket.write(Buffer.of(byte));
    const answers: Buffer[] = [];
    const ping = frame(frameType.ping, 0, 0, Buffer.from('12345678'));
    socket.write(ping);
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      answers.push(chunk as Buffer);
      if (Buffer.concat(answers).includes(frame(frameType.ping, frameFlag.ack, 0, Buffer.from('12345678'))))
        break;
    }
    const [stream] = accepted;
    const chunk = stream!.closed.then(() => stream!.resetCode);
    socket.destroy();
    assert.equal(await chunk, 0);
    assert.equal(stream!.remoteEnded, false);
  });
});
