import assert from 'node:assert/strict';
import test from 'node:test';
import { BodyDecoder, framingOf, parseHead } from './http-parser.ts';

function decode(framing: Parameters<typeof framingOf>[0]['headers'], body: string, step: number): string {
  let text = '';
  const decoder = new BodyDecoder(framingOf({ status: 200, reason: '', headers: framing }, 'GET'), chunk => {
    text += chunk;
  });
  for (let at = 0; at < body.length; at += step) decoder.push(Buffer.from(body.slice(at, at + step)));
  decoder.end();
  return text;
}

test('a head is status, reason and lower-cased headers', () => {
  const parsed = parseHead(
    Buffer.from('HTTP/1.1 404 Not Found\r\nApi-Version: 1.41\r\nA: 1\r\nA: 2\r\n\r\nrest'),
  );
  assert.deepEqual(parsed?.head, {
    status: 404,
    reason: 'Not Found',
    headers: { 'api-version': '1.41', a: '1, 2' },
  });
  assert.equal(parsed?.bodyStart, 57);
  assert.equal(parseHead(Buffer.from('HTTP/1.1 200 OK\r\nA: 1\r\n')), undefined);
});

for (const step of [1, 2, 3, 7, 100]) {
  test(`a chunked body arriving ${step} bytes at a time`, () => {
    const body = '5;name=x\r\nhello\r\nA\r\n, world!!!\r\n0\r\nTrailer: 1\r\n\r\n';
    assert.equal(decode({ 'transfer-encoding': 'chunked' }, body, step), 'hello, world!!!');
  });
}

test('a body with a length takes no byte more', () => {
  assert.equal(decode({ 'content-length': '3' }, 'abcdef', 2), 'abc');
});

test('a body that ends early is an error', () => {
  assert.throws(() => decode({ 'content-length': '9' }, 'abc', 1), { message: 'unexpected EOF' });
  assert.throws(() => decode({ 'transfer-encoding': 'chunked' }, '5\r\nhel', 1), {
    message: 'unexpected EOF',
  });
});

test('nonsense is refused', () => {
  assert.throws(() => parseHead(Buffer.from('SSH-2.0-x\r\n\r\n')), /malformed HTTP response/);
  assert.throws(() => decode({ 'transfer-encoding': 'chunked' }, 'zz\r\n', 9), /malformed HTTP response/);
});
