import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signAwsRequest } from './aws-signature.ts';

test('a request of the published test suite (post-vanilla)', () => {
  const { authorization } = signAwsRequest(
    {
      url: new URL('https://example.amazonaws.com/'),
      region: 'us-east-1',
      service: 'service',
      headers: {},
      body: Buffer.alloc(0),
    },
    {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      sessionToken: undefined,
    },
    new Date('2015-08-30T12:36:00Z'),
  );
  assert.equal(
    authorization,
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
      'SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  );
});
