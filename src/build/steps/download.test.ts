import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { download } from './download.ts';

const options = { nameNeeded: true, proxyFor: () => undefined, signal: new AbortController().signal };

async function serve(context: TestContext, answer: RequestListener): Promise<{ host: string; file: string }> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  const directory = mkdtempSync(join(tmpdir(), 'gantry-test-download-'));
  context.after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(directory, { recursive: true });
  });
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { host: `127.0.0.1:${port}`, file: join(directory, 'file') };
}

test('a password in the URL is told, redirects are followed, content comes as it is sent', async context => {
  const content = gzipSync('content');
  const { host, file } = await serve(context, (request, response) => {
    const known = request.headers.authorization === `Basic ${Buffer.from('me:pa ss').toString('base64')}`;
    if (request.url === '/begin/name') response.writeHead(known ? 302 : 401, { location: '../end' }).end();
    else response.writeHead(200, { 'content-encoding': 'gzip' }).end(content);
  });
  const { name } = await download(`http://me:pa%20ss@${host}/begin/name`, file, options);
  assert.equal(name, 'name');
  assert.deepEqual(readFileSync(file), content);
});

test('what does not end, or leads elsewhere, fails', async context => {
  const { host, file } = await serve(context, (request, response) => {
    const places: Record<string, string> = { '/circle': '/circle', '/file': 'file:///etc/passwd' };
    const location = places[request.url!];
    if (location === undefined) response.writeHead(503).end();
    else response.writeHead(301, { location }).end();
  });
  await assert.rejects(download(`http://${host}/circle`, file, options), /stopped after 10 redirects/);
  await assert.rejects(download(`http://${host}/file`, file, options), /it leads to file:/);
  await assert.rejects(download(`http://${host}/x`, file, options), /with status 503 Service Unavailable/);
  await assert.rejects(download('http://127.0.0.1:1/x', file, options), /Get "http:.*ECONNREFUSED/);
});

test('what has a proxy is asked of the proxy', async context => {
  const asked: (string | undefined)[] = [];
  const { host, file } = await serve(context, (request, response) => {
    asked.push(request.url);
    if (request.url === 'http://far.invalid/x')
      response.writeHead(302, { location: `http://${host}/near` }).end();
    else response.end('near');
  });
  const proxyFor = (url: URL) => (url.hostname === 'far.invalid' ? `http://${host}` : undefined);
  await download('http://far.invalid/x', file, { ...options, proxyFor });
  assert.deepEqual(asked, ['http://far.invalid/x', '/near']);
  assert.equal(readFileSync(file, 'utf8'), 'near');
});
