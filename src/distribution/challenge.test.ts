import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseChallenges } from './challenge.ts';

test('bearer and basic, quoted and not, one value and several', () => {
  assert.deepEqual(
    parseChallenges([
      'Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push"',
    ]),
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'reg',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  );
  assert.deepEqual(parseChallenges(['Basic realm="x \\"y\\"", Bearer realm=z , error="invalid_token"']), [
    { scheme: 'basic', parameters: { realm: 'x "y"' } },
    { scheme: 'bearer', parameters: { realm: 'z', error: 'invalid_token' } },
  ]);
  assert.deepEqual(
    parseChallenges(['Negotiate', 'Basic Realm="r"']).map(challenge => challenge.scheme),
    ['negotiate', 'basic'],
  );
});

test('nonsense is no challenge and no exception', () => {
  assert.deepEqual(parseChallenges(['', '"', ',,,', '=x']), []);
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), value => {
      parseChallenges([value]);
    }),
  );
});
