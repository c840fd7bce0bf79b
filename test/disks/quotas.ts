import { execFileSync } from 'node:child_process';

// What the machine's kernel has as modules; then the tests of volumes say what quotas do.
execFileSync('modprobe', ['-a', 'loop', 'quota_v2', 'xfs']);
await import('../kernel/storage-volume-copies.test.ts');
