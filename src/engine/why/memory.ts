import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { showBytes } from './text.ts';

/** Of its limit: what had less in use was not killed for its limit's sake. The kernel counts in pages, and in batches of them. */
const reachedShare = 0.9;

/** Whether the kernel killed something in it for want of memory. */
export function diagnoseMemory(evidence: Evidence): Finding[] {
  const { memory, name, status } = evidence;
  const { oomKilled, oomKills, limitBytes, peakBytes } = memory;
  if (!oomKilled && oomKills === 0) return [];
  const running = status === 'running' || status === 'paused';
  const reached = limitBytes > 0 && (peakBytes ?? limitBytes) >= limitBytes * reachedShare;
  const told = [whatWasKilled(evidence, running), limitSeen(limitBytes, reached)];
  if (peakBytes !== undefined) told.push(`the most it used was ${showBytes(peakBytes)}`);
  const more = reached
    ? [`gantry update -m ${roomier(limitBytes)} --memory-swap -1 ${name}`]
    : ['free    # the host has no memory left'];
  return [
    {
      check: 'memory',
      severity: 'problem',
      title: reached ? 'It ran out of the memory it is allowed.' : 'The host ran out of memory.',
      evidence: told,
      mend: running ? more : [...more, `gantry start ${name}`],
    },
  ];
}

/**
 * Whether that is why the container has ended. The kernel counts for the whole container: a process that was killed an
 * hour ago says nothing of an end with exit code 3. A shell takes the code of its last command over.
 */
export function endedForWantOfMemory({ memory, exitCode, manuallyStopped }: Evidence): boolean {
  return memory.oomKilled && exitCode === 137 && !manuallyStopped;
}

function whatWasKilled(evidence: Evidence, running: boolean): string {
  const { exitCode, memory } = evidence;
  if (running) return `the kernel has killed ${memory.oomKills} of its processes; the first one lives on`;
  if (endedForWantOfMemory(evidence)) return `the kernel's OOM killer ended it: exit code ${exitCode}`;
  return "the kernel's OOM killer ended one of its processes, but not the first one";
}

function limitSeen(limitBytes: number, reached: boolean): string {
  if (limitBytes === 0) return 'it has no limit of its own: the host ran out of memory';
  if (reached) return `its limit is ${showBytes(limitBytes)}`;
  return `its limit is ${showBytes(limitBytes)}, which it did not come near: the host ran out of memory`;
}

/** Twice as much, in megabytes. */
function roomier(limitBytes: number): string {
  return `${Math.ceil((limitBytes * 2) / 2 ** 20)}m`;
}
