import type { DiskEvidence, Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { linesLike, quoteLines, showBytes } from './text.ts';

/** Below this part of a file system it is as good as full: ordinary users get nothing of what is left. */
const fullBelow = 0.01;
const complaint = /no space left on device|ENOSPC|disk quota exceeded|EDQUOT/i;

/** What is full that it writes to. */
export function diagnoseSpace(evidence: Evidence): Finding[] {
  const said = quoteLines(linesLike([...evidence.lastLines, ...evidence.error.split('\n')], complaint));
  const full = evidence.disks.filter(disk => isFull(disk) || lacksInodes(disk));
  if (full.length === 0 && said.length === 0) return [];
  if (full.length === 0) {
    return [
      {
        check: 'space',
        severity: 'problem',
        title: 'It complained that there was no space left. There is some now.',
        evidence: [...said, ...evidence.disks.map(showDisk)],
        mend: [`gantry restart ${evidence.name}`],
      },
    ];
  }
  return full.map(disk => ({
    check: 'space' as const,
    severity: 'problem' as const,
    title: `${disk.what} has no ${isFull(disk) ? 'space' : 'inodes'} left.`,
    evidence: [showDisk(disk), ...said],
    mend: mendOf(disk, evidence.name),
  }));
}

function isFull({ totalBytes, freeBytes }: DiskEvidence): boolean {
  return totalBytes > 0 && freeBytes < totalBytes * fullBelow;
}

/** File systems that make inodes as they need them tell of none. */
function lacksInodes({ totalInodes, freeInodes }: DiskEvidence): boolean {
  return totalInodes > 0 && freeInodes < totalInodes * fullBelow;
}

function showDisk({ what, path, totalBytes, freeBytes, totalInodes, freeInodes }: DiskEvidence): string {
  const inodes = totalInodes === 0 ? '' : `, ${freeInodes} of ${totalInodes} inodes`;
  const place = what === path ? path : `${what} (${path})`;
  return `${place}: ${showBytes(freeBytes)} of ${showBytes(totalBytes)} free${inodes}`;
}

function mendOf({ kind, path }: DiskEvidence, name: string): string[] {
  if (kind === 'shm') return ['run it with a bigger --shm-size'];
  if (kind === 'tmpfs') {
    return [`gantry exec ${name} du -s ${path}`, `run it with a bigger size: --tmpfs ${path}:size=...`];
  }
  return [
    'gantry system df    # what takes the space',
    'gantry system prune    # removes what nothing uses',
    `df -h ${path}; df -i ${path}`,
  ];
}
