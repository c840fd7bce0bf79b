/** One thing that is wrong with a container, or worth knowing, with what was seen and what helps. */
export interface Finding {
  check: Check;
  /** `note`: nobody said that it should be otherwise. */
  severity: 'problem' | 'note';
  /** One sentence. */
  title: string;
  /** What was seen, a line each. */
  evidence: string[];
  /** Commands, or one sentence where no command mends it. */
  mend: string[];
}

export type Check = 'exit' | 'memory' | 'ports' | 'health' | 'space' | 'names' | 'permissions' | 'reach';

/** What each check looks at, for people. */
export const checkSubjects: Record<Check, string> = {
  exit: 'how its process ended',
  memory: 'memory and the OOM killer',
  ports: 'published ports and who listens',
  health: 'the health check',
  space: 'free space and inodes',
  names: 'name resolution',
  permissions: 'owners and modes of its mounts',
  reach: 'the way to the other container',
};
