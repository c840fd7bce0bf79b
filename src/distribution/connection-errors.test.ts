import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionError } from './connection-errors.ts';

test('a registry without TLS is named as such, whenever that is noticed', () => {
  const url = new URL('https://registry.test:5000/v2/');
  const told = (code: string, message: string) =>
    connectionError(`Get "${url}"`, url, Object.assign(new Error(message), { code })).message;
  const words = 'Get "https://registry.test:5000/v2/": http: server gave HTTP response to HTTPS client';
  assert.equal(told('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'), words);
  assert.equal(
    told('EPROTO', 'write EPROTO 40F3:error:0A00010B:SSL routines::wrong version number:x.c:78:'),
    words,
  );
  assert.equal(
    told('EPROTO', 'write EPROTO 40F3'),
    'Get "https://registry.test:5000/v2/": write EPROTO 40F3',
  );
});
