import type { Dependency } from '../project.ts';

/** What a container of `run` has that those of `up` do not have. */
export interface OneOff {
  /** 64 hexadecimal digits that are its alone. */
  slug: string;
  /** Reached by its service's name, too. */
  usesAliases: boolean;
  /** Our input becomes its own. */
  interactive: boolean;
  autoRemove: boolean;
}

/** One thing to do. Containers are named by their names, as two may stand for each other for a while. */
export type Action =
  | { do: 'create network'; key: string; name: string }
  | { do: 'remove network'; name: string }
  | { do: 'create volume'; key: string; name: string }
  | { do: 'remove volume'; name: string }
  | {
      do: 'create container';
      service: string;
      number: number;
      name: string;
      replaces?: string;
      /** Its anonymous volumes are new ones, not those of the one it replaces. */
      renewsVolumes?: true;
      oneOff?: OneOff;
    }
  | { do: 'start container'; service: string; name: string }
  | { do: 'stop container'; service: string; name: string }
  /** With its anonymous volumes, or without. */
  | { do: 'remove container'; service: string; name: string; volumes?: boolean }
  | { do: 'rename container'; service: string; name: string; to: string }
  | { do: 'disconnect container'; service: string; name: string; network: string }
  /** As its service says of the network; the key is the project's. */
  | { do: 'connect container'; service: string; number: number; name: string; key: string; network: string }
  | { do: 'wait for service'; service: string; condition: Dependency['condition']; required: boolean };

export interface Step {
  /** Counts from 1. */
  id: number;
  action: Action;
  /** Steps that must be done before; their ids are smaller. */
  after: readonly number[];
  /** Why, where it does not go without saying. */
  because?: string;
}

/** What is to be done, and what waits for what. Whatever waits for nothing may be done at once. */
export type Plan = readonly Step[];

/** Steps by number, to be added to. */
export class PlanBuilder {
  readonly steps: Step[] = [];

  add(action: Action, after: Iterable<number | undefined>, because?: string): number {
    const id = this.steps.length + 1;
    const before = [...new Set([...after].filter(step => step !== undefined))].sort((a, b) => a - b);
    this.steps.push({ id, action, after: before, ...(because === undefined ? {} : { because }) });
    return id;
  }
}

/** A plan as people read it, and as tests compare it. */
export function showPlan(plan: Plan): string {
  if (plan.length === 0) return 'nothing to do\n';
  const width = String(plan.length).length;
  return plan
    .map(({ id, action, after, because }) => {
      const waits = after.length === 0 ? '' : ` (after ${after.join(', ')})`;
      const reason = because === undefined ? '' : `: ${because}`;
      return `${String(id).padStart(width)} ${showAction(action)}${reason}${waits}\n`;
    })
    .join('');
}

const conditions: Readonly<Record<Dependency['condition'], string>> = {
  service_started: 'runs',
  service_healthy: 'is healthy',
  service_completed_successfully: 'has ended well',
};

export function showAction(action: Action): string {
  switch (action.do) {
    case 'wait for service':
      return `wait until ${action.service} ${conditions[action.condition]}${action.required ? '' : ', or go on without it'}`;
    case 'rename container':
      return `rename container ${action.name} to ${action.to}`;
    case 'create container':
      return `create container ${action.name}${purpose(action)}`;
    case 'disconnect container':
      return `disconnect container ${action.name} from network ${action.network}`;
    case 'connect container':
      return `connect container ${action.name} to network ${action.network}`;
    default:
      return `${action.do} ${action.name}`;
  }
}

function purpose({ service, replaces, oneOff }: Action & { do: 'create container' }): string {
  if (oneOff !== undefined) return ` to run something as ${service}`;
  return replaces === undefined ? '' : ` in place of ${replaces}`;
}
