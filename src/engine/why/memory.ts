import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { showBytes } from './text.ts';

/** Whether the kernel killed something in it for want of memory. */
export function diagnoseMemory({ memory, name, status, exitCode }: Evidence): Finding[] {
  const { oomKilled, oomKills, limitBytes, peakBytes } = memory;
  if (!oomKilled && oomKills === 0) return [];
  const running = status === 'running' || status === 'paused';
  const evidence = [
    running
      ? `the kernel has killed ${oomKills} of its processes; the first one lives on`
      : `the kernel's OOM killer ended it: exit code ${exitCode}`,
    limitBytes > 0
      ? `its limit is ${showBytes(limitBytes)}`
      : 'it has no limit of its own: the host ran out of memory',
  ];
  if (peakBytes !== undefined) evidence.push(`the most it used was ${showBytes(peakBytes)}`);
  const more =
    limitBytes > 0
      ? [`gantry update -m ${roomier(limitBytes)} --memory-swap -1 ${name}`]
      : ['free    # the host has no memory left'];
  return [
    {
      check: 'memory',
      severity: 'problem',
      title: limitBytes > 0 ? 'It ran out of the memory it is allowed.' : 'The host ran out of memory.',
      evidence,
      mend: running ? more : [...more, `gantry start ${name}`],
    },
  ];
}

/** Twice as much, in megabytes. */
function roomier(limitBytes: number): string {
  return `${Math.ceil((limitBytes * 2) / 2 ** 20)}m`;
}
