import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Client } from './client.ts';
import { parseEndpoint } from './endpoint.ts';
import { act, follow, perform } from './operation.ts';
import { containerOperations, imageOperations } from './operations.ts';

/** A daemon of Node's own HTTP, to test ours against. */
async function serve(context: TestContext, listener: RequestListener): Promise<Client> {
  const folder = mkdtempSync(join(tmpdir(), 'client-'));
  const path = join(folder, 'd.sock');
  const server = createServer((request, response) => {
    if (request.url !== '/_ping') return listener(request, response);
    response.setHeader('Api-Version', '1.41').end();
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst');
    socket.pipe(socket);
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  const client = new Client({ endpoint: parseEndpoint(`unix://${path}`) });
  context.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return client;
}

test('asks in the older of both versions, and keeps big numbers', async context => {
  const seen: string[] = [];
  const client = await serve(context, (request, response) => {
    seen.push(request.url!);
    response.end('{"Id":"a","big":9223372036854775807}');
  });
  const answer = await perform(client, containerOperations.inspect, {
    path: { id: 'a/b c' },
    query: { size: true },
  });
  assert.deepEqual(seen, ['/v1.41/containers/a/b%20c/json?size=1']);
  assert.equal((answer as unknown as { big: bigint }).big, 9223372036854775807n);
});

test("an error is the daemon's message with its status", async context => {
  const client = await serve(context, (_request, response) => {
    response.writeHead(409, { 'Content-Type': 'application/json' }).end('{"message":"in use"}');
  });
  await assert.rejects(perform(client, containerOperations.list, {}), {
    status: 409,
    kind: 'conflict',
    message: 'in use',
  });
});

test('uploads chunks and reads lines', async context => {
  const client = await serve(context, (request, response) => {
    let bytes = 0;
    request.on('data', chunk => {
      bytes += chunk.length;
    });
    request.on('end', () => response.end(`{"status":"a"}\r\n{"status":"${bytes}"}\r\n`));
  });
  async function* body() {
    for (let i = 0; i < 20; i++) yield Buffer.alloc(100_000);
  }
  const messages: string[] = [];
  await follow(client, imageOperations.load, { body: body() }, message => messages.push(message.status!));
  assert.deepEqual(messages, ['a', '2000000']);
});

test('a hijacked connection carries both ways, beginning with what came with the head', async context => {
  const client = await serve(context, () => {});
  const { socket, received } = await client.hijack('POST', '/containers/a/attach');
  let text = String(received);
  socket.on('data', chunk => {
    text += chunk;
  });
  socket.end('echo');
  socket.resume();
  await new Promise(resolve => socket.once('close', resolve).once('end', resolve));
  assert.equal(text, 'firstecho');
});

test('nobody there is said in plain words', async () => {
  const client = new Client({ endpoint: parseEndpoint('unix:///nonexistent/d.sock') });
  await assert.rejects(client.version(), /Cannot connect to the daemon at unix:\/\/\/nonexistent\/d.sock/);
});

test('hosts that are none are refused', () => {
  assert.throws(() => parseEndpoint('ssh://host'), { kind: 'notImplemented' });
  assert.throws(() => parseEndpoint('foo://host'), { kind: 'invalid' });
  assert.equal(parseEndpoint('[::1]:2375').kind, 'tcp');
});

test('a client that only reads asks for nothing else', async context => {
  const seen: string[] = [];
  const { endpoint } = await serve(context, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end('{"StatusCode":0}');
  });
  const client = new Client({ endpoint, readOnly: true });
  context.after(() => client.close());
  await perform(client, containerOperations.wait, { path: { id: 'a' } });
  await assert.rejects(
    act(client, containerOperations.start, { path: { id: 'a' } }),
    /POST \/containers\/a\/start is not asked in dry-run mode/,
  );
  await assert.rejects(act(client, containerOperations.remove, { path: { id: 'wait' } }), /DELETE/);
  assert.deepEqual(seen, ['POST /v1.41/containers/a/wait']);
});
