import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { type Poller, pollDescriptor } from './poll.ts';
import { createPipe } from './spawn.ts';

test('a descriptor is waited for once at a time, and only while it is open: an error, not the end of the process', async () => {
  const { readFd, writeFd } = createPipe('read');
  let poller: Poller | undefined;
  const readable = new Promise<void>(resolve => {
    poller = pollDescriptor(readFd, resolve, { keepAlive: true });
  });
  assert.throws(() => pollDescriptor(readFd, () => {}), { message: /is being waited for already/ });
  poller!.watch({ readable: true });
  writeSync(writeFd, 'x');
  await readable;
  poller!.close();
  poller!.close();
  pollDescriptor(readFd, () => {}).close();
  closeSync(readFd);
  assert.throws(() => pollDescriptor(readFd, () => {}), { code: 'EBADF' });
  closeSync(writeFd);
});
