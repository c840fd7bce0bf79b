import type { Hook } from '../../../compose/project.ts';
import { placeInContainer, type Watched } from './rules.ts';

/** Something changed, came or went: a path below that of a rule. */
export interface Change {
  rule: Watched;
  below: string;
}

/** What is to be done for one service after some of its files changed. */
export interface Reaction {
  service: string;
  /** Built and made anew; all else goes without saying then. */
  rebuild: boolean;
  /** Places in the container by paths of this machine. What is there goes there, what is not goes. */
  sync: Map<string, string>;
  restart: boolean;
  execs: Hook[];
}

/** What changes mean, a reaction for each service in the order in which they changed. */
export function planReactions(changes: readonly Change[]): Reaction[] {
  const reactions = new Map<string, Reaction>();
  for (const { rule, below } of changes) {
    const { service, action, path, exec } = rule;
    if (!rule.concerns(below)) continue;
    const reaction: Reaction = reactions.get(service) ?? {
      service,
      rebuild: false,
      sync: new Map(),
      restart: false,
      execs: [],
    };
    reactions.set(service, reaction);
    if (action === 'rebuild') reaction.rebuild = true;
    if (action.startsWith('sync'))
      reaction.sync.set(below === '' ? path : `${path}/${below}`, placeInContainer(rule, below));
    if (action === 'restart' || action === 'sync+restart') reaction.restart = true;
    if (action === 'sync+exec' && exec !== undefined && !reaction.execs.includes(exec))
      reaction.execs.push(exec);
  }
  return [...reactions.values()].map(reaction =>
    reaction.rebuild ? { ...reaction, sync: new Map(), restart: false, execs: [] } : reaction,
  );
}
