import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readAgents } from './agents.ts';
import { serveKeys } from './key-agent.ts';
import { readSshKey, type SshKey } from './ssh-key.ts';
import { mpint, uint32, WireReader, wireString } from './ssh-wire.ts';

const pairs = {
  'ssh-ed25519': generateKeyPairSync('ed25519'),
  'ecdsa-sha2-nistp384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'ssh-rsa': generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

/** A file as ssh-keygen writes it (PROTOCOL.key). */
function openSshText(type: keyof typeof pairs, key: KeyObject, cipher = 'none'): string {
  const jwk = key.export({ format: 'jwk' });
  const member = (name: string) => Buffer.from((jwk as Record<string, string>)[name]!, 'base64url');
  const point = () => wireString(Buffer.concat([Buffer.from([4]), member('x'), member('y')]));
  const secret = {
    'ssh-ed25519': () => [wireString(member('x')), wireString(Buffer.concat([member('d'), member('x')]))],
    'ecdsa-sha2-nistp384': () => [wireString('nistp384'), point(), mpint(member('d'))],
    'ssh-rsa': () => ['n', 'e', 'd', 'qi', 'p', 'q'].map(name => mpint(member(name))),
  }[type]();
  const inner = Buffer.concat([uint32(7), uint32(7), wireString(type), ...secret, wireString('me@here')]);
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[wireString(cipher), wireString('none'), wireString(''), uint32(1), wireString('')],
    wireString(inner),
  ]);
  const name = 'OPENSSH PRIVATE KEY';
  return `-----BEGIN ${name}-----\n${file.toString('base64').replace(/.{70}/g, '$&\n')}\n-----END ${name}-----\n`;
}

async function ask(keys: SshKey[], ...requests: Buffer[]): Promise<WireReader[]> {
  // In pieces that end anywhere.
  const bytes = Buffer.concat(requests.map(request => wireString(request)));
  const pieces = (async function* () {
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
  })();
  const answers: WireReader[] = [];
  for await (const answer of serveKeys(keys, pieces)) answers.push(new WireReader(answer.subarray(4)));
  return answers;
}

const data = Buffer.from('what is signed');

function signRequest({ publicBlob }: SshKey, flags = 0): Buffer {
  return Buffer.concat([Buffer.from([13]), wireString(publicBlob), wireString(data), uint32(flags)]);
}

test('keys of all forms are listed and sign', async () => {
  for (const [type, { privateKey, publicKey }] of Object.entries(pairs)) {
    const ofOpenSsh = readSshKey(openSshText(type as keyof typeof pairs, privateKey));
    const ofPem = readSshKey(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
    assert.deepEqual(ofOpenSsh.publicBlob, ofPem.publicBlob);
    for (const key of [ofOpenSsh, ofPem]) {
      const [list, signed] = await ask([key], Buffer.from([11]), signRequest(key, 4));
      assert.deepEqual([list!.byte(), list!.uint32()], [12, 1]);
      assert.equal(new WireReader(list!.bytes()).text(), type);
      assert.equal(signed!.byte(), 14);
      const signature = new WireReader(signed!.bytes());
      assert.equal(signature.text(), type === 'ssh-rsa' ? 'rsa-sha2-512' : type);
      assert.ok(isSignature(type, publicKey, signature.bytes()), type);
    }
  }
});

function isSignature(type: string, key: KeyObject, signature: Buffer): boolean {
  if (type === 'ssh-ed25519') return verify(null, data, key, signature);
  if (type === 'ssh-rsa') return verify('sha512', data, key, signature);
  const reader = new WireReader(signature);
  const halves = [reader.bytes(), reader.bytes()].map(half =>
    Buffer.concat([Buffer.alloc(48), half]).subarray(-48),
  );
  return verify('sha384', data, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat(halves));
}

test('RSA signs with the hash that is asked for', async () => {
  const key = readSshKey(openSshText('ssh-rsa', pairs['ssh-rsa'].privateKey));
  const answers = await ask([key], signRequest(key), signRequest(key, 2), signRequest(key, 4));
  const names = answers.map(answer => {
    answer.byte();
    return new WireReader(answer.bytes()).text();
  });
  assert.deepEqual(names, ['ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512']);
});

test('all else is refused', async () => {
  const [key, other] = (['ssh-ed25519', 'ssh-rsa'] as const).map(type =>
    readSshKey(openSshText(type, pairs[type].privateKey)),
  );
  // Remove all keys, a key that is not there, half a request, nothing.
  const requests = [
    Buffer.from([19]),
    signRequest(other!),
    signRequest(key!).subarray(0, 9),
    Buffer.alloc(0),
  ];
  const answers = await ask([key!], ...requests);
  assert.deepEqual(
    answers.map(answer => answer.byte()),
    [5, 5, 5, 5],
  );
  await assert.rejects(async () => {
    for await (const _ of serveKeys([key!], [uint32(1 << 30)] as never)) assert.fail();
  }, /too large/);
});

test('--ssh: a socket, keys, and what is neither', async () => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-keys-'));
  after(() => rmSync(root, { recursive: true }));
  const { privateKey } = pairs['ssh-ed25519'];
  writeFileSync(join(root, 'key'), openSshText('ssh-ed25519', privateKey));
  writeFileSync(join(root, 'locked'), openSshText('ssh-ed25519', privateKey, 'aes256-ctr'));
  writeFileSync(
    join(root, 'pem'),
    privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'x' }),
  );
  writeFileSync(join(root, 'junk'), 'junk');
  const agents = readAgents(['a=key,key', 'b=key'], {}, root);
  assert.deepEqual(
    [...agents].map(([id, agent]) => [id, 'keys' in agent && agent.keys.length]),
    [
      ['a', 2],
      ['b', 1],
    ],
  );
  const server = createServer().listen(join(root, 'socket'));
  await once(server, 'listening');
  after(() => server.close());
  const { k } = Object.fromEntries(readAgents(['k'], { SSH_AUTH_SOCK: join(root, 'socket') }, root));
  assert.deepEqual(k, { socketPath: join(root, 'socket') });
  const config = (paths: string, reason: string) =>
    `failed to convert agent config {k [${paths}] false}: failed to convert agent config for ID: "k": ${reason}`;
  const locked = 'ssh: this private key is passphrase protected';
  for (const [path, reason] of [
    ['key socket', 'invalid combination of keys and sockets'],
    ['socket key', 'only single socket allowed'],
    ['none', 'stat none: no such file or directory'],
    ['junk', 'failed to parse junk: ssh: no key found'],
    ['locked', `failed to parse locked: ${locked}`],
    ['pem', `failed to parse pem: ${locked}`],
    ['.', 'failed to read .: read .: is a directory'],
  ] as const) {
    assert.throws(() => readAgents([`k=${path.replace(' ', ',')}`], {}, root), {
      message: config(path, reason),
    });
  }
  assert.throws(() => readAgents(['k=key', 'k=key'], {}, root), { message: 'duplicate agent ID "k"' });
});
