import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ApiFixture } from '../../test/support/api-fixture.ts';
import { WebSocketDecoder } from './websocket-frames.ts';

const attach = '/v1.50/containers/c/attach/ws?stream=1&stdin=1&stdout=1&stderr=1';

describe('attach by websocket', () => {
  let api: ApiFixture;
  let door: Server;
  before(async () => {
    api = await ApiFixture.start();
    api.engine.add('c', { status: 'running' });
    // Node's own WebSocket client knows no unix sockets.
    door = createServer(socket => {
      const inside = connect(api.path);
      socket.pipe(inside).pipe(socket);
      socket.on('error', () => inside.destroy());
      inside.on('error', () => socket.destroy());
    });
    await once(door.listen(0, '127.0.0.1'), 'listening');
  });
  after(async () => {
    door.close();
    await api.stop();
  });

  const open = async (path: string): Promise<WebSocket> => {
    const client = new WebSocket(`ws://127.0.0.1:${(door.address() as AddressInfo).port}${path}`);
    client.binaryType = 'arraybuffer';
    await new Promise((resolve, reject) => {
      client.addEventListener('open', resolve);
      client.addEventListener('error', reject);
    });
    return client;
  };

  test('what is sent goes in, both outputs come out unframed, and the end is a clean close', async () => {
    const large = 'x'.repeat(100_000);
    api.engine.process = async ({ input, stdout, stderr }) => {
      let heard = '';
      for await (const chunk of input!) {
        heard += chunk;
        if (heard.endsWith('.')) break;
      }
      stdout.write(Buffer.from(`heard ${heard.length} `));
      stderr.write(Buffer.from(large));
    };
    const client = await open(attach);
    let received = '';
    client.addEventListener('message', ({ data }) => {
      received += Buffer.from(data as ArrayBuffer).toString();
    });
    const closed = once(client, 'close') as Promise<[CloseEvent]>;
    client.send('text, ');
    client.send(Buffer.from(large));
    client.send('');
    client.send('end.');
    const [event] = await closed;
    assert.equal(received, `heard ${large.length + 'text, end.'.length} ${large}`);
    assert.deepEqual([event.code, event.wasClean], [1000, true]);
  });

  test('before 1.28 the output is text', async () => {
    api.engine.process = async ({ stdout }) => {
      stdout.write(Buffer.from('words'));
    };
    const client = await open(attach.replace('v1.50', 'v1.27'));
    const [message] = (await once(client, 'message')) as [MessageEvent];
    assert.equal(message.data, 'words');
    client.close();
  });

  test('a client that closes ends the input', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    api.engine.process = async ({ input }) => {
      let heard = '';
      try {
        for await (const chunk of input!) heard += chunk;
      } catch {
        // The connection is gone before its end was seen.
      }
      resolve(heard);
    };
    const client = await open(attach);
    client.send('one');
    client.close();
    assert.equal(await promise, 'one');
  });

  test('what is no websocket, or no container, is refused by status', async () => {
    const plain = await api.request('GET', attach);
    assert.equal(plain.status, 400);
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'x' };
    assert.equal((await api.request('GET', attach, { headers })).status, 400);
    const nobody = await api.request('GET', attach.replace('/c/', '/nobody/'), {
      headers: { ...headers, 'Sec-WebSocket-Version': '13' },
    });
    assert.deepEqual([nobody.status, nobody.json().message], [404, 'No such container: nobody']);
  });
});

test('frames are decoded in whatever pieces they come', () => {
  const mask = [1, 2, 3, 4];
  const frame = (first: number, text: string) => {
    const payload = Buffer.from(text).map((byte, index) => byte ^ mask[index & 3]!);
    return Buffer.from([first, 0x80 | payload.length, ...mask, ...payload]);
  };
  const whole = Buffer.concat([
    frame(0x01, 'be'),
    frame(0x89, 'ping'),
    frame(0x80, 'gin'),
    frame(0x82, ''),
    frame(0x88, ''),
  ]);
  for (const size of [1, 2, 3, 7, whole.length]) {
    let told = '';
    const decoder = new WebSocketDecoder({
      data: chunk => {
        told += chunk.toString();
      },
      ping: payload => {
        told += `<${payload}>`;
      },
      close: () => {
        told += '|';
      },
    });
    for (let at = 0; at < whole.length; at += size) decoder.push(whole.subarray(at, at + size));
    assert.equal(told, 'be<ping>gin|', `in pieces of ${size}`);
  }
});

test('frames that no client may send are refused', () => {
  const decoder = () => new WebSocketDecoder({ data() {}, ping() {}, close() {} });
  assert.throws(() => decoder().push(Buffer.from([0x81, 1, 65])), /no mask/);
  assert.throws(() => decoder().push(Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 65])), /reserved bits/);
  assert.throws(() => decoder().push(Buffer.from([0x89, 0xfe, 0, 200])), /too long/);
});
