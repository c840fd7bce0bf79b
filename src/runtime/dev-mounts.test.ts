import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireSafeDevMount } from './dev-mounts.ts';

test('a mount over /dev is refused with a runc that would follow links in it', () => {
  const over = (source: string, destination = '/dev') => ({
    mounts: [{ source, destination, type: 'bind', options: [] }],
    privileged: false,
  });
  for (const version of ['1.1.5+ds1', '1.2.7', '1.3.2', '1.0.0-rc93']) {
    const runc = { implementation: 'runc', version };
    assert.throws(() => requireSafeDevMount(over('/volume'), runc), /CVE-2025-31133/);
    requireSafeDevMount(over('/dev'), runc);
    requireSafeDevMount(over('/volume', '/dev/shm'), runc);
    requireSafeDevMount({ ...over('/volume'), privileged: true }, runc);
  }
  for (const version of ['1.2.8', '1.3.3', '1.4.0', '2.0.0']) {
    requireSafeDevMount(over('/volume'), { implementation: 'runc', version });
  }
  requireSafeDevMount(over('/volume'), { implementation: 'crun', version: '1.8.1' });
});
