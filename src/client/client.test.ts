import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { newestApiVersion } from '../api/paths.ts';
import { Client } from './client.ts';
import { parseEndpoint } from './endpoint.ts';
import { parseJson } from './json.ts';
import { act, follow, perform } from './operation.ts';
import { containerOperations, imageOperations } from './operations.ts';

/** A daemon of Node's own HTTP that knows 1.41, to test ours against. */
function serve(context: TestContext, listener: RequestListener): Promise<Client> {
  return clientOf(context, (request, response) => {
    response.setHeader('Api-Version', '1.41');
    if (request.url === '/_ping') response.end();
    else if (request.url!.startsWith('/v1.41/')) listener(request, response);
    else response.writeHead(400).end('too new');
  });
}

async function clientOf(context: TestContext, daemon: RequestListener): Promise<Client> {
  const folder = mkdtempSync(join(tmpdir(), 'client-'));
  const path = join(folder, 'd.sock');
  const server = createServer(daemon);
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

test('numbers beyond 2^53 are kept wherever they stand', () => {
  const text =
    '{"a": 9223372036854775807, "b":[-9223372036854775808,\n 1, 9007199254740993], "c":"1234567890123456789"}';
  assert.deepEqual(parseJson(text), {
    a: 9223372036854775807n,
    b: [-9223372036854775808n, 1, 9007199254740993n],
    c: '1234567890123456789',
  });
});

test('what changes something is asked again when its version was not known', async context => {
  const seen: string[] = [];
  const client = await serve(context, (request, response) => {
    seen.push(request.url!);
    request.on('data', chunk => seen.push(String(chunk))).on('end', () => response.end('{"Id":"a"}'));
  });
  const json = (version: string) => ({ Image: version });
  assert.deepEqual(await perform(client, containerOperations.create, { json }), { Id: 'a' });
  assert.deepEqual(seen, ['/v1.41/containers/create', '{"Image":"1.41"}']);
});

test('asks in its own version first, and no more when that is understood', async context => {
  const seen: string[] = [];
  const client = await clientOf(context, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.writeHead(seen.length === 1 ? 400 : 200, { 'Api-Version': '1.99' }).end('[]');
  });
  const list = () => perform(client, containerOperations.list, {});
  await assert.rejects(list(), { status: 400 });
  assert.deepEqual(await list(), []);
  await client.version();
  const asked = `GET /v${newestApiVersion}/containers/json`;
  assert.deepEqual(seen, [asked, asked]);
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
