import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ApiFixture } from '../../test/support/api-fixture.ts';

const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
const attach = '/containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1';

async function textOf(input: Readable | undefined): Promise<string> {
  let text = '';
  for await (const chunk of input!) text += chunk;
  return text;
}

describe('hijacked connections', () => {
  let api: ApiFixture;
  before(async () => {
    api = await ApiFixture.start();
  });
  beforeEach(() => {
    api.engine.records.clear();
    api.engine.add('c', { status: 'running' });
    // Answers, after the client has ended its direction, with what it said.
    api.engine.process = async ({ input, stdout, stderr }) => {
      const said = await textOf(input);
      stdout.write(Buffer.from(`heard ${said}`));
      stderr.write(Buffer.from('done'));
    };
  });
  after(() => api.stop());

  const request = (path: string, headers: string, body = '') =>
    `POST /v1.50${path} HTTP/1.1\r\nHost: x\r\n${headers}${body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`}\r\n${body}`;

  for (const [way, headers, status] of [
    ['by upgrade', upgrade, 'HTTP/1.1 101 UPGRADED'],
    ['the plain way', '', 'HTTP/1.1 200 OK'],
    ['the plain way with a length', 'Content-Type: text/plain\r\nContent-Length: 0\r\n', 'HTTP/1.1 200 OK'],
  ] as const) {
    test(`${way}: output goes on after the client has ended its input`, async () => {
      const line = api.connect();
      line.send(request(attach, headers));
      await line.until('\r\n\r\n');
      assert.ok(line.received.toString().startsWith(`${status}\r\n`));
      assert.match(
        line.received.toString(),
        /Content-Type: application\/vnd\.docker\.multiplexed-stream\r\n/,
      );
      line.send('one ');
      line.send('two');
      line.socket.end();
      await line.ended;
      assert.equal(line.body.toString('latin1'), '\x01\0\0\0\0\0\0\x0dheard one two\x02\0\0\0\0\0\0\x04done');
    });

    test(`${way}: what comes with the head is not lost`, async () => {
      const line = api.connect();
      line.send(`${request(attach, headers)}early `);
      await line.until('\r\n\r\n');
      line.send('late');
      line.socket.end();
      await line.ended;
      assert.match(line.body.toString(), /heard early late/);
    });
  }

  test('a terminal is raw bytes', async () => {
    api.engine.records.clear();
    api.engine.add('c', { status: 'running', tty: true });
    const line = api.connect();
    line.send(request(attach, upgrade));
    await line.until('\r\n\r\n');
    assert.match(line.received.toString(), /Content-Type: application\/vnd\.docker\.raw-stream\r\n/);
    line.socket.end('x');
    await line.ended;
    assert.equal(line.body.toString(), 'heard xdone');
  });

  test('before 1.42 frames were not announced', async () => {
    const line = api.connect();
    line.send(request(attach, upgrade).replace('v1.50', 'v1.41'));
    await line.until('\r\n\r\n');
    assert.match(line.received.toString(), /Content-Type: application\/vnd\.docker\.raw-stream\r\n/);
    line.socket.end();
    await line.ended;
  });

  test('what cannot be attached to is said by status and plain text', async () => {
    for (const headers of [upgrade, 'Connection: close\r\n']) {
      const line = api.connect();
      line.send(request('/containers/nobody/attach?stream=1', headers));
      await line.ended;
      assert.match(line.received.toString(), /^HTTP\/1\.1 404 Not Found\r\n/);
      assert.equal(line.body.toString(), 'No such container: nobody\r\n');
    }
  });

  for (const [way, headers] of [
    ['by upgrade', upgrade],
    ['the plain way', ''],
  ] as const) {
    test(`exec ${way}: the body is read, in one piece or two, and input follows it`, async () => {
      const { id } = api.engine.addExec(['cat']);
      const whole = request(`/exec/${id}/start`, headers, '{"Detach":false,"Tty":false}');
      for (const pieces of [[whole], [whole.slice(0, -9), whole.slice(-9)]]) {
        const line = api.connect();
        for (const piece of pieces) {
          line.send(piece);
          await new Promise(resolve => setImmediate(resolve));
        }
        await line.until('\r\n\r\n');
        line.socket.end('input');
        await line.ended;
        assert.match(line.body.toString(), /heard input/);
      }
    });
  }

  test('exec by upgrade: body and input in one packet', async () => {
    const { id } = api.engine.addExec(['cat']);
    const line = api.connect();
    line.send(`${request(`/exec/${id}/start`, upgrade, '{"Tty":false}')}early `);
    await line.until('\r\n\r\n');
    line.socket.end('late');
    await line.ended;
    assert.match(line.body.toString(), /heard early late/);
  });

  test('exec of a missing command says so on the stream, as dockerd does', async () => {
    const { id } = api.engine.addExec(['missing']);
    const line = api.connect();
    line.send(request(`/exec/${id}/start`, upgrade, '{}'));
    await line.ended;
    assert.match(line.received.toString(), /^HTTP\/1\.1 101/);
    assert.match(line.body.toString(), /executable file not found in \$PATH\r\n$/);
    const nobody = await api.request('POST', '/exec/nobody/start', {
      body: '{}',
      headers: { 'Content-Type': 'application/json' },
    });
    assert.equal(nobody.status, 404);
  });

  test('a client that does not read holds the process back, and loses nothing', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const chunks = 256;
    const heldBack = Promise.withResolvers<void>();
    api.engine.process = async ({ stdout }) => {
      for (let count = 0; count < chunks; count++) {
        if (stdout.write(chunk)) continue;
        heldBack.resolve();
        await once(stdout, 'drain');
      }
    };
    const socket = connect({ path: api.path, allowHalfOpen: true });
    socket.write(request(attach, upgrade));
    await heldBack.promise;
    let seen = 0;
    socket.on('data', data => {
      seen += data.length;
    });
    await once(socket, 'end');
    socket.end();
    assert.ok(seen > chunks * (chunk.length + 8), `${seen} bytes`);
  });

  test('a client that goes away closes the lines of the process', async () => {
    const closed = Promise.withResolvers<void>();
    api.engine.process = async ({ stdout }) => {
      stdout.once('close', closed.resolve);
      // That the client is gone shows when something is written to it.
      while (!stdout.destroyed) {
        stdout.write(Buffer.from('are you there?'));
        await new Promise(resolve => setImmediate(resolve));
      }
    };
    const line = api.connect();
    line.send(request(attach, upgrade));
    await line.until('\r\n\r\n');
    line.socket.destroy();
    await closed.promise;
  });
});
