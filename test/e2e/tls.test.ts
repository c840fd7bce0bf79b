import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Machine } from './machine.ts';

/** Mutual TLS: who has a certificate of the right authority gets everything, streams included; others get nothing. */
describe('docker over TLS', { concurrency: false }, () => {
  let machine: Machine;
  const flags =
    '--tlsverify --tlscacert /tmp/tls/ca.pem --tlscert /tmp/tls/client.pem --tlskey /tmp/tls/client.key -H tcp://127.0.0.1:2376';

  before(async () => {
    machine = await Machine.start('tls', {
      prepare: `
        mkdir -p /tmp/tls && cd /tmp/tls
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
        echo subjectAltName=DNS:localhost,IP:127.0.0.1 >names
        for who in server client; do
          openssl req -newkey rsa:2048 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
          openssl x509 -req -days 2 -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out $who.pem
        done`,
      daemonArguments:
        '-H tcp://127.0.0.1:2376 --tlsverify --tlscacert /tmp/tls/ca.pem --tlscert /tmp/tls/server.pem --tlskey /tmp/tls/server.key'.split(
          ' ',
        ),
    });
  });
  after(() => machine?.stop());

  /** The client runs inside the world: its loopback is where the daemon listens. */
  const inside = async (line: string): Promise<string> => {
    const outcome = await machine.world.run(['sh', '-ec', line]);
    assert.equal(outcome.stderr, '');
    return outcome.stdout.trimEnd();
  };

  test('output comes through, though the client closes its own direction first', async () => {
    assert.equal(await inside(`docker ${flags} run --rm busybox sh -c 'sleep 0.2; echo late'`), 'late');
  });

  test('input comes through to its end', async () => {
    assert.equal(await inside(`echo typed | docker ${flags} run --rm -i busybox cat`), 'typed');
  });

  test('a client without a certificate is refused', async () => {
    const outcome = await machine.world.run([
      'curl',
      '-sk',
      '--max-time',
      '5',
      'https://127.0.0.1:2376/_ping',
    ]);
    assert.notEqual(outcome.code, 0);
    assert.equal(outcome.stdout, '');
  });

  test('plain HTTP is refused', async () => {
    const outcome = await machine.world.run(['curl', '-s', '--max-time', '5', 'http://127.0.0.1:2376/_ping']);
    assert.doesNotMatch(outcome.stdout, /^OK/);
  });
});
