import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repository } from '../support/daemon.ts';
import type { Verdict } from '../support/guest.ts';
import { runInVirtualMachine } from '../support/virtual-machine.ts';

const timeoutMs = 30 * 60_000;

/** The tests of `quotas.ts` and `nfs.ts`, on a kernel that has project quotas and NFS. */
describe('on a kernel with quotas and NFS', { timeout: timeoutMs }, () => {
  test('the virtual machine runs all of it', async context => {
    const verdicts: Verdict[] = [];
    await runInVirtualMachine({
      command: [
        process.execPath,
        join(repository, 'test/support/guest.ts'),
        join(import.meta.dirname, 'quotas.ts'),
        join(import.meta.dirname, 'nfs.ts'),
      ],
      env: { GANTRY_TEST_QUOTAS: 'needed' },
      onLine: line => {
        const verdict = JSON.parse(line) as Verdict;
        verdicts.push(verdict);
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
