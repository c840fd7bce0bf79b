import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SecretRequest } from './config.ts';
import { labelledSecrets, planSecrets } from './secrets.ts';

const asked = (source: string, more: Partial<SecretRequest> = {}): SecretRequest => ({
  source,
  target: '',
  uid: '',
  gid: '',
  ...more,
});
const targetOf = (target: string) => planSecrets([asked('db', { target })], [])[0]!.target;

describe('the plan of secrets', () => {
  test("a secret is below /run/secrets, root's and readable for all, unless asked otherwise", () => {
    assert.deepEqual(
      planSecrets([asked('db'), asked('key', { target: '/etc/key', uid: '7', gid: '8', mode: 0o400 })], []),
      [
        { source: 'db', target: '/run/secrets/db', uid: '0', gid: '0', mode: 0o444 },
        { source: 'key', target: '/etc/key', uid: '7', gid: '8', mode: 0o400 },
      ],
    );
  });

  test('targets are cleaned, and those that lead astray are refused', () => {
    assert.equal(targetOf('a//b/../c'), '/run/secrets/a/c');
    assert.equal(targetOf('//etc/./key'), '/etc/key');
    assert.equal(targetOf('/processes'), '/processes');
    for (const target of ['..', '../x', 'a/../../x', '.', '/', '//', 'a/', '/run/secrets', '/proc', 'a\0b']) {
      assert.throws(() => targetOf(target), { kind: 'invalid' }, target);
    }
    for (const target of ['/proc/x', '/sys/fs/x', '/etc/../proc/self/environ', '//proc/x']) {
      assert.throws(() => targetOf(target), {
        message: `invalid secret target ${JSON.stringify(target)}: must not be below /proc or /sys`,
      });
    }
  });

  test('owners are numbers, modes are permissions', () => {
    for (const more of [
      { uid: 'root' },
      { gid: '-1' },
      { uid: '4294967295' },
      { gid: '1e3' },
      { mode: 0o1777 },
      { mode: -1 },
    ]) {
      assert.throws(() => planSecrets([asked('db', more)], []), { kind: 'invalid' }, JSON.stringify(more));
    }
  });

  test('every file has a place of its own', () => {
    const refused: [SecretRequest[], string[], string][] = [
      [[asked('a'), asked('a')], [], 'duplicate secret target for a not allowed'],
      [
        [asked('a'), asked('b', { target: '/run//secrets/a' })],
        [],
        'duplicate secret target for b not allowed',
      ],
      [[asked('a', { target: '/data' })], ['/data'], 'Duplicate mount point: /data'],
      [
        [asked('a', { target: 'x/y' }), asked('b', { target: 'x' })],
        [],
        'invalid secret target "/run/secrets/x/y": there is a secret at /run/secrets/x',
      ],
    ];
    for (const [secrets, mounts, message] of refused) {
      assert.throws(() => planSecrets(secrets, mounts), { kind: 'invalid', message });
    }
    assert.equal(planSecrets([asked('a'), asked('a', { target: 'b' })], ['/run/secrets']).length, 2);
  });

  test('a label names several', () => {
    const labels = { 'io.gantry.secrets': 'db; key,target=/etc/key,mode=0400;' };
    assert.deepEqual(labelledSecrets({ labels }), [
      { source: 'db', target: '', uid: '', gid: '', mode: undefined },
      { source: 'key', target: '/etc/key', uid: '', gid: '', mode: 0o400 },
    ]);
    assert.deepEqual(labelledSecrets({ labels: {} }), []);
    assert.throws(() => labelledSecrets({ labels: { 'io.gantry.secrets': 'db,x=1' } }), { kind: 'invalid' });
  });
});
