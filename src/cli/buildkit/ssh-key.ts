import { createPrivateKey, type KeyObject, sign, type webcrypto } from 'node:crypto';
import { mpint, WireReader, wireString } from './ssh-wire.ts';

/** A private key as an agent offers it. */
export interface SshKey {
  /** The public half, as it is sent. */
  publicBlob: Buffer;
  /** @param flags of the agent's protocol: which hash RSA shall use */
  sign(data: Buffer, flags: number): Buffer;
}

const rsaSha256Flag = 2;
const rsaSha512Flag = 4;

const curves: Record<string, { jwk: string; hash: string }> = {
  nistp256: { jwk: 'P-256', hash: 'sha256' },
  nistp384: { jwk: 'P-384', hash: 'sha384' },
  nistp521: { jwk: 'P-521', hash: 'sha512' },
};

/**
 * Reads a private key as ssh-keygen writes it: OpenSSH's own form, or PEM (PKCS #1, PKCS #8, SEC 1).
 * @throws Error in the words of Go's ssh package
 */
export function readSshKey(text: string): SshKey {
  const [, label = '', body = ''] = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/.exec(text) ?? [];
  if (label === '') throw new Error('ssh: no key found');
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(body)) throw isProtected();
  if (label === 'OPENSSH PRIVATE KEY') return keyOf(jwkOfOpenSsh(Buffer.from(body, 'base64')));
  if (!['RSA PRIVATE KEY', 'EC PRIVATE KEY', 'PRIVATE KEY'].includes(label))
    throw new Error(`ssh: unsupported key type ${JSON.stringify(label)}`);
  return keyOf(createPrivateKey(text).export({ format: 'jwk' }));
}

function isProtected(): Error {
  return new Error('ssh: this private key is passphrase protected');
}

const magic = 'openssh-key-v1\0';

/**
 * PROTOCOL.key of OpenSSH:
 *
 *     "openssh-key-v1\0"
 *     string  cipher, key derivation and its options: none, none and nothing
 *     uint32  number of keys: one
 *     string  public key
 *     string  uint32 twice the same, then the private key, a comment, and 1, 2, 3 ... to fill a block
 */
function jwkOfOpenSsh(bytes: Buffer): webcrypto.JsonWebKey {
  const reader = new WireReader(bytes);
  if (reader.take(magic.length).toString('latin1') !== magic)
    throw new Error('ssh: invalid openssh private key format');
  const cipher = reader.text();
  reader.bytes();
  reader.bytes();
  if (cipher !== 'none') throw isProtected();
  if (reader.uint32() !== 1) throw new Error('ssh: multi-key files are not supported');
  reader.bytes();
  const inner = new WireReader(reader.bytes());
  const check = inner.uint32();
  if (inner.uint32() !== check) throw new Error('ssh: malformed OpenSSH key');
  const type = inner.text();
  if (type === 'ssh-ed25519') {
    const x = inner.bytes();
    return { kty: 'OKP', crv: 'Ed25519', x: encoded(x), d: encoded(inner.bytes().subarray(0, 32)) };
  }
  if (type === 'ssh-rsa') {
    const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => inner.bytes()) as [
      ...[Buffer, Buffer, Buffer],
      ...[Buffer, Buffer, Buffer],
    ];
    const [dp, dq] = [p, q].map(prime => numberBytes(numberOf(d) % (numberOf(prime) - 1n)));
    const members = Object.entries({ n, e, d, p, q, dp: dp!, dq: dq!, qi });
    return { kty: 'RSA', ...Object.fromEntries(members.map(([name, value]) => [name, unsigned(value)])) };
  }
  const curve = curves[type.replace(/^ecdsa-sha2-/, '')];
  if (curve === undefined) throw new Error('ssh: unhandled key type');
  inner.bytes();
  const point = inner.bytes();
  const half = (point.length - 1) / 2;
  const d = withoutZeros(inner.bytes());
  return {
    ...{ kty: 'EC', crv: curve.jwk },
    x: encoded(point.subarray(1, 1 + half)),
    y: encoded(point.subarray(1 + half)),
    d: encoded(Buffer.concat([Buffer.alloc(half - d.length), d])),
  };
}

function keyOf(jwk: webcrypto.JsonWebKey): SshKey {
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const member = (name: 'n' | 'e' | 'x' | 'y'): Buffer => Buffer.from(jwk[name] ?? '', 'base64url');
  switch (jwk.kty) {
    case 'OKP':
      return {
        publicBlob: Buffer.concat([wireString('ssh-ed25519'), wireString(member('x'))]),
        sign: data => signature('ssh-ed25519', sign(null, data, key)),
      };
    case 'RSA':
      return {
        publicBlob: Buffer.concat([wireString('ssh-rsa'), mpint(member('e')), mpint(member('n'))]),
        sign: (data, flags) => signRsa(key, data, flags),
      };
    default: {
      const [name, { hash }] = Object.entries(curves).find(([, curve]) => curve.jwk === jwk.crv) ?? [
        '',
        { hash: '' },
      ];
      if (name === '') throw new Error('ssh: only P-256, P-384 and P-521 EC keys are supported');
      const type = `ecdsa-sha2-${name}`;
      const point = Buffer.concat([Buffer.from([4]), member('x'), member('y')]);
      return {
        publicBlob: Buffer.concat([wireString(type), wireString(name), wireString(point)]),
        sign: data => {
          const pair = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
          const half = pair.length / 2;
          return signature(type, Buffer.concat([mpint(pair.subarray(0, half)), mpint(pair.subarray(half))]));
        },
      };
    }
  }
}

function signRsa(key: KeyObject, data: Buffer, flags: number): Buffer {
  if ((flags & rsaSha512Flag) !== 0) return signature('rsa-sha2-512', sign('sha512', data, key));
  if ((flags & rsaSha256Flag) !== 0) return signature('rsa-sha2-256', sign('sha256', data, key));
  return signature('ssh-rsa', sign('sha1', data, key));
}

function signature(algorithm: string, bytes: Buffer): Buffer {
  return Buffer.concat([wireString(algorithm), wireString(bytes)]);
}

function encoded(bytes: Buffer): string {
  return bytes.toString('base64url');
}

function unsigned(bytes: Buffer): string {
  return encoded(withoutZeros(bytes));
}

function withoutZeros(bytes: Buffer): Buffer {
  const first = bytes.findIndex(byte => byte !== 0);
  return first < 0 ? bytes.subarray(bytes.length) : bytes.subarray(first);
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex') || '0'}`);
}

function numberBytes(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
}
