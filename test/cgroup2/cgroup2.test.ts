import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { busyboxArchive } from '../support/base-images.ts';
import { cacheDirectory } from '../support/cache.ts';
import { repository } from '../support/daemon.ts';
import type { Verdict } from '../support/guest.ts';
import { runInVirtualMachine } from '../support/virtual-machine.ts';

const timeoutMs = 60 * 60_000;

/**
 * The tests of `resources.ts`, on a kernel that has cgroup v2 and nothing else, with both OCI runtimes. Each of
 * them is a test here too, by what the machine said of it.
 */
describe('on cgroup v2', { timeout: timeoutMs }, () => {
  test('the virtual machine runs all of it', async context => {
    await busyboxArchive();
    const verdicts: Verdict[] = [];
    const node = process.execPath;
    await runInVirtualMachine({
      command: [node, join(repository, 'test/support/guest.ts'), join(import.meta.dirname, 'resources.ts')],
      env: {
        GANTRYD: process.env['GANTRYD'] ?? '',
        GANTRY_TEST_CACHE: cacheDirectory,
      },
      onLine: line => {
        const verdict = JSON.parse(line) as Verdict;
        verdicts.push(verdict);
        // Should the machine not come to its end, this is what is known.
        context.diagnostic(`${verdict.name}: ${verdict.error ?? 'passed'}`);
      },
      timeoutMs,
    });
    assert.ok(verdicts.length > 0, 'it said nothing');
    for (const { name, error } of verdicts) {
      await context.test(name, () => {
        if (error !== undefined) throw new Error(error);
      });
    }
  });
});
