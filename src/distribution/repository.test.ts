import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import type { Credentials } from './auth.ts';
import { pullError } from './errors.ts';
import { parseReference } from './reference.ts';
import { Registries } from './registries.ts';
import type { Repository } from './repository.ts';

const signal = AbortSignal.timeout(100_000);
const bytes = Buffer.from('{"schemaVersion":2}');
const secret: Credentials = { username: 'user', password: 'secret' };

/** A server that answers as the test says, and what it was asked. */
async function serve(context: TestContext, answer: RequestListener) {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function repositoryAt(context: TestContext, host: string, credentials?: Credentials): Repository {
  const registries = new Registries();
  context.after(() => registries.close());
  return registries.repositories(parseReference(`${host}/me/app`), 'pull', credentials)[0]!;
}

test('a registry without TLS on loopback, and a manifest', async context => {
  const { host } = await serve(context, (request, response) => {
    if (request.url === '/v2/') response.end();
    else response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json').end(bytes);
  });
  const repository = repositoryAt(context, host);
  const manifest = await repository.manifest('1.0', signal);
  assert.equal(manifest.digest, digestOf(bytes));
  assert.equal(manifest.mediaType, 'application/vnd.oci.image.manifest.v1+json');
});

test('a manifest that is not the one of its digest is corrupt', async context => {
  const { host } = await serve(context, (_request, response) => response.end(bytes));
  const wanted = digestOf('something else');
  await assert.rejects(repositoryAt(context, host).manifest(wanted, signal), {
    kind: 'corrupt',
    message: `manifest verification failed for digest ${wanted}`,
  });
});

test("nobody listens: Go's words", async context => {
  const repository = repositoryAt(context, '127.0.0.1:1');
  await assert.rejects(repository.manifest('1.0', signal), {
    kind: 'unavailable',
    message: 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
  });
});

test("what a registry refuses, in dockerd's words", async context => {
  const cases: [number, string, string, string][] = [
    [
      404,
      '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
      'notFound',
      'manifest for HOST/me/app:1.0 not found: manifest unknown: manifest unknown',
    ],
    [
      404,
      '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}',
      'notFound',
      'repository HOST/me/app not found: name unknown: repository name not known to registry',
    ],
    [
      403,
      '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}',
      'notFound',
      "pull access denied for HOST/me/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    ],
    [401, '', 'unauthorized', 'unauthorized: authentication required'],
    [429, '{"details":"slow down"}', 'unavailable', 'toomanyrequests: slow down'],
    [500, 'oops', 'unavailable', 'received unexpected HTTP status: 500 Internal Server Error'],
    [
      404,
      '<html>',
      'notFound',
      `error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: "<html>"`,
    ],
  ];
  for (const [status, body, kind, message] of cases) {
    const { host } = await serve(context, (request, response) => {
      response.statusCode = request.url === '/v2/' ? 200 : status;
      response.end(request.url === '/v2/' ? '' : body);
    });
    const reference = parseReference(`${host}/me/app:1.0`);
    const failed = repositoryAt(context, host)
      .manifest('1.0', signal)
      .catch(error => {
        throw pullError(error, reference);
      });
    await assert.rejects(failed, { kind, message: message.replace('HOST', host) });
  }
});

test('a token is fetched with the credentials, kept, and fetched anew when it is refused', async context => {
  let valid = 'token-1';
  const { host, requests } = await serve(context, (request, response) => {
    const url = new URL(request.url!, 'http://x');
    if (url.pathname === '/token') {
      response.end(JSON.stringify({ token: valid, expires_in: 300 }));
    } else if (request.headers.authorization === `Bearer ${valid}`) {
      response.end(bytes);
    } else {
      response.statusCode = 401;
      response.setHeader(
        'www-authenticate',
        `Bearer realm="http://${request.headers.host}/token",service="s"`,
      );
      response.end();
    }
  });
  const repository = repositoryAt(context, host, secret);
  await repository.manifest('1.0', signal);
  await repository.manifest('1.0', signal);
  const tokens = () => requests.filter(request => request.url!.startsWith('/token'));
  assert.equal(tokens().length, 1);
  assert.equal(tokens()[0]!.headers.authorization, `Basic ${btoa('user:secret')}`);
  const query = new URL(tokens()[0]!.url!, 'http://x').searchParams;
  assert.equal(query.get('scope'), 'repository:me/app:pull');
  assert.equal(query.get('service'), 's');
  assert.equal(query.get('account'), 'user');
  valid = 'token-2';
  await repository.manifest('1.0', signal);
  assert.equal(tokens().length, 2);
});

test('a token that ends in the middle of an upload is fetched anew', async context => {
  let valid = 'token-1';
  const taken: string[] = [];
  const { host } = await serve(context, async (request, response) => {
    if (request.url!.startsWith('/token')) {
      response.end(JSON.stringify({ token: valid, expires_in: 300 }));
      return;
    }
    let sent = '';
    for await (const chunk of request) sent += chunk;
    if (request.headers.authorization !== `Bearer ${valid}`) {
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    if (request.method === 'POST') {
      valid = 'token-2';
      response.writeHead(202, { location: '/upload' }).end();
    } else {
      taken.push(sent);
      response.writeHead(201).end();
    }
  });
  const repository = repositoryAt(context, host, secret);
  const upload = await repository.startUpload(signal);
  const body = () => Readable.from([Buffer.from('layer')]);
  await repository.finishUpload(upload, digestOf('layer'), { body, sizeBytes: 5 }, signal);
  assert.deepEqual(taken, ['layer']);
});

test('an identity token is exchanged, not sent along', async context => {
  const bodies: string[] = [];
  const { host, requests } = await serve(context, async (request, response) => {
    if (request.url === '/token') {
      bodies.push(Buffer.concat(await request.toArray()).toString());
      response.end('{"access_token":"t"}');
    } else if (request.headers.authorization === 'Bearer t') {
      response.end(bytes);
    } else {
      response.statusCode = 401;
      response.setHeader('www-authenticate', `Bearer realm="http://${request.headers.host}/token"`).end();
    }
  });
  await repositoryAt(context, host, { identityToken: 'idt' }).manifest('1.0', signal);
  assert.equal(new URLSearchParams(bodies[0]).get('refresh_token'), 'idt');
  assert.ok(requests.every(request => request.headers.authorization?.includes('idt') !== true));
});

test('basic authentication without credentials names the request', async context => {
  const { host } = await serve(context, (_request, response) => {
    response.statusCode = 401;
    response.setHeader('www-authenticate', 'Basic realm="x"').end();
  });
  await assert.rejects(repositoryAt(context, host).manifestDigest('9', signal), {
    kind: 'unauthorized',
    message: `Head "http://${host}/v2/me/app/manifests/9": no basic auth credentials`,
  });
  await assert.rejects(repositoryAt(context, host, secret).manifest('9', signal), {
    kind: 'unauthorized',
    message: 'unauthorized: authentication required',
  });
});

test('credentials do not follow a redirect to another host', async context => {
  const other = await serve(context, (_request, response) => response.end('blob'));
  const { host } = await serve(context, (request, response) => {
    if (request.headers.authorization === undefined) {
      response.statusCode = 401;
      response.setHeader('www-authenticate', 'Basic realm="x"').end();
    } else if (request.url === '/v2/me/app/blobs/here') {
      response.end('blob');
    } else {
      response.writeHead(307, { location: `http://${other.host}/storage/x` }).end();
    }
  });
  const { body } = await repositoryAt(context, host, secret).blob(digestOf('blob'), 0, signal);
  assert.equal(Buffer.concat(await body.toArray()).toString(), 'blob');
  assert.equal(other.requests.length, 1);
  assert.equal(other.requests[0]!.headers.authorization, undefined);
});

test('no upload takes credentials to another host either', async context => {
  const other = await serve(context, (request, response) => {
    request.resume();
    response.writeHead(201).end();
  });
  const { host } = await serve(context, (request, response) => {
    request.resume();
    if (request.headers.authorization === undefined) {
      response.statusCode = 401;
      response.setHeader('www-authenticate', 'Basic realm="x"').end();
    } else {
      response.writeHead(202, { location: `http://${other.host}/upload?state=1` }).end();
    }
  });
  const repository = repositoryAt(context, host, secret);
  const upload = await repository.startUpload(signal);
  await repository.finishUpload(upload, digestOf('x'), { body: Buffer.from('x'), sizeBytes: 1 }, signal);
  const [request] = other.requests;
  assert.equal(request!.headers.authorization, undefined);
  assert.equal(new URL(request!.url!, 'http://x').searchParams.get('digest'), digestOf('x'));
  assert.equal(new URL(request!.url!, 'http://x').searchParams.get('state'), '1');
});

test('a realm or a redirect to a link-local address is refused', async context => {
  for (const realm of [
    'http://169.254.169.254/latest',
    'http://[fe80::1]/token',
    'http://[::ffff:169.254.1.1]/x',
  ]) {
    const { host } = await serve(context, (_request, response) => {
      response.statusCode = 401;
      response.setHeader('www-authenticate', `Bearer realm="${realm}"`).end();
    });
    await assert.rejects(repositoryAt(context, host, secret).manifest('1.0', signal), {
      kind: 'unavailable',
      message: /refusing to connect to link-local address/,
    });
  }
  const { host } = await serve(context, (request, response) => {
    if (request.url === '/v2/') response.end();
    else response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
  });
  await assert.rejects(repositoryAt(context, host).blob(digestOf('x'), 0, signal), {
    message: /refusing to connect to link-local address 169\.254\.169\.254/,
  });
});

test('a redirect in circles and one to another scheme end', async context => {
  const { host } = await serve(context, (request, response) => {
    if (request.url === '/v2/') response.end();
    else if (request.url!.includes('manifests')) response.writeHead(302, { location: request.url! }).end();
    else response.writeHead(302, { location: 'file:///etc/passwd' }).end();
  });
  const repository = repositoryAt(context, host);
  await assert.rejects(repository.manifest('1.0', signal), { message: /stopped after 10 redirects/ });
  await assert.rejects(repository.blob(digestOf('x'), 0, signal), {
    message: /unsupported protocol scheme "file"/,
  });
});

test('tags come page by page', async context => {
  const { host } = await serve(context, (request, response) => {
    if (request.url === '/v2/') response.end();
    else if (request.url === '/v2/me/app/tags/list') {
      response.setHeader('link', '</v2/me/app/tags/list?n=1&last=a>; rel="next"');
      response.end('{"tags":["a"]}');
    } else response.end('{"tags":["b"]}');
  });
  assert.deepEqual(await repositoryAt(context, host).tags(signal), ['a', 'b']);
});

test('a manifest larger than any manifest is not read', async context => {
  const { host } = await serve(context, (request, response) => {
    if (request.url === '/v2/') response.end();
    else response.end(Buffer.alloc(5 << 20));
  });
  await assert.rejects(repositoryAt(context, host).manifest('1.0', signal), {
    message: /sent more than 4194304 bytes/,
  });
});

test('an abort is cancelled, not a fault of the registry', async context => {
  const { host } = await serve(context, request => request.resume());
  await assert.rejects(repositoryAt(context, host).manifest('1.0', AbortSignal.timeout(50)), {
    kind: 'cancelled',
  });
});

test('login tells right from wrong credentials', async context => {
  const { host } = await serve(context, (request, response) => {
    const welcome = request.headers.authorization === `Basic ${btoa('user:secret')}`;
    response.statusCode = welcome ? 200 : 401;
    response.setHeader('www-authenticate', 'Basic realm="x"').end();
  });
  const registries = new Registries();
  context.after(() => registries.close());
  const serverAddress = host;
  assert.deepEqual(await registries.login({ ...secret, serverAddress }), {
    status: 'Login Succeeded',
    identityToken: '',
  });
  await assert.rejects(registries.login({ username: 'user', password: 'no', serverAddress }), {
    kind: 'unauthorized',
    message: `login attempt to http://${host}/v2/ failed with status: 401 Unauthorized`,
  });
});
