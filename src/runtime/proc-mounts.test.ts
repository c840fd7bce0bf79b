import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireSafeProcMounts } from './proc-mounts.ts';

test('nothing stands in for /proc, nor for what is in it but some numbers', () => {
  const over = (destination: string, source = '/tmp', type = 'bind') => [{ destination, source, type }];
  assert.throws(() => requireSafeProcMounts(over('/proc/')), {
    kind: 'invalid',
    message:
      'error mounting "/tmp" to rootfs at "/proc": "/proc" cannot be mounted because it is not of type proc',
  });
  assert.throws(() => requireSafeProcMounts(over('/proc', 'tmpfs', 'tmpfs')), /not of type proc$/);
  for (const inside of ['/proc/version', '/proc/self', '//proc/sys/kernel/hostname', '/x/../proc/1'])
    assert.throws(
      () => requireSafeProcMounts(over(inside)),
      /cannot be mounted because it is inside \/proc$/,
    );
  requireSafeProcMounts([
    ...over('/proc', '/proc'),
    ...over('/proc/uptime'),
    ...over('/process'),
    ...over('/d'),
  ]);
});
