import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEndpointOptions, planEndpoints } from './endpoints.ts';

function urlsOf(registry: string, insecure: string[] = []): string[] {
  const options = parseEndpointOptions([], insecure);
  return planEndpoints(registry, 'pull', options).flatMap(endpoint => endpoint.urls.map(String));
}

test('TLS for everybody but loopback and the insecure registries', () => {
  assert.deepEqual(urlsOf('reg.example'), ['https://reg.example/']);
  assert.deepEqual(urlsOf('docker.io'), ['https://registry-1.docker.io/']);
  for (const host of ['localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000']) {
    assert.deepEqual(urlsOf(host), [`https://${host}/`, `http://${host}/`]);
  }
  assert.equal(urlsOf('localhost.example').length, 1);
  assert.equal(urlsOf('10.1.2.3:5000').length, 1);
  assert.equal(urlsOf('10.1.2.3:5000', ['10.0.0.0/8']).length, 2);
  assert.equal(urlsOf('reg.example:5000', ['reg.example:5000']).length, 2);
  assert.equal(urlsOf('reg.example', ['reg.example:5000']).length, 1);
});

test('mirrors come first, for Docker Hub and for pulls only', () => {
  const options = parseEndpointOptions(['http://mirror.example:5000'], []);
  const urls = (registry: string, access: 'pull' | 'push') =>
    planEndpoints(registry, access, options).map(endpoint => [endpoint.urls[0]!.host, endpoint.mirror]);
  assert.deepEqual(urls('docker.io', 'pull'), [
    ['mirror.example:5000', true],
    ['registry-1.docker.io', false],
  ]);
  assert.deepEqual(urls('docker.io', 'push'), [['registry-1.docker.io', false]]);
  assert.deepEqual(urls('reg.example', 'pull'), [['reg.example', false]]);
});

test('bad settings are refused by name', () => {
  for (const mirror of ['mirror', 'ftp://m.example', 'https://m.example/path', 'https://u:p@m.example']) {
    assert.throws(() => parseEndpointOptions([mirror], []), {
      kind: 'invalid',
      message: /^invalid mirror: /,
    });
  }
  assert.throws(() => parseEndpointOptions([], ['a/b']), {
    kind: 'invalid',
    message: /insecure registry a\/b/,
  });
});
