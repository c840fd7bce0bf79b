import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { daemonHelp, daemonOptions } from './daemon-options.ts';

const guide = join(import.meta.dirname, '../../docs/guides/service.md');

test('the guide names each flag that has no effect, and why', () => {
  const rows = [...readFileSync(guide, 'utf8').matchAll(/^\| `--([a-z-]+)` \| (.*) \|$/gm)];
  const without = daemonOptions.filter(option => option.meaningless !== undefined);
  assert.deepEqual(
    rows.map(([, flag, why]) => `${flag}: ${why}`).sort(),
    without.map(({ flag, meaningless }) => `${flag}: ${meaningless}`).sort(),
  );
});

test('the help says what has no effect, and leaves out what is refused', () => {
  const help = daemonHelp();
  assert.match(help, /--live-restore .*\(no effect: containers always outlive the daemon\)$/m);
  assert.match(help, /^ {2}-s, --storage-driver {2,}overlay2, /m);
  for (const refused of ['rootless', 'storage-opt', 'selinux-enabled', 'cpu-rt-period'])
    assert.ok(!help.includes(`--${refused} `), refused);
});
