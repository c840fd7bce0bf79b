import type { Observed } from '../../compose/observed.ts';
import type { Action, Plan, Step } from '../../compose/plan/plan.ts';
import type { ProgressEvent } from './progress/progress.ts';

/** Says of the steps of one plan what people read, in docker compose's words. */
export class PlanWords {
  /** What stands aside until it takes the place of another. */
  readonly #finalNames = new Map<string, string>();
  /** Containers that others are made in place of. */
  readonly #replaced = new Set<string>();
  /** Those others, by the names that they have first. */
  readonly #made = new Set<string>();
  readonly #containers = new Map<string, Set<string>>();

  constructor(plan: Plan, { containers }: Observed) {
    for (const { service, name, oneOff } of containers) if (!oneOff) this.#note(service, name);
    for (const { action } of plan) {
      if (action.do === 'rename container') this.#finalNames.set(action.name, action.to);
      if (action.do === 'create container' && action.replaces !== undefined) {
        this.#replaced.add(action.replaces);
        this.#made.add(action.name);
      }
      if (action.do === 'start container') this.#note(action.service, action.name);
    }
  }

  #note(service: string, name: string): void {
    this.#containers.set(service, (this.#containers.get(service) ?? new Set()).add(name));
  }

  /** @returns nothing for what goes without saying */
  of({ action }: Step, phase: 'begun' | 'done' | 'failed'): ProgressEvent[] {
    const state = phase === 'begun' ? 'working' : phase;
    const words = this.#words(action);
    if (words === undefined && phase !== 'failed') return [];
    const [begun, done] = words ?? ['', ''];
    const status = phase === 'failed' ? 'Error' : phase === 'begun' ? begun : done;
    const going = status === recreate ? 'working' : state;
    return this.#subjects(action).map(id => ({ id, status, state: phase === 'failed' ? 'failed' : going }));
  }

  #subjects(action: Action): string[] {
    if (action.do === 'wait for service') {
      const names = [...(this.#containers.get(action.service) ?? [])].map(name => this.#finalName(name));
      return [...new Set(names)].map(name => `Container ${name}`);
    }
    const [, kind = ''] = action.do.split(' ');
    return [`${kind[0]!.toUpperCase()}${kind.slice(1)} ${this.#finalName(action.name)}`];
  }

  #finalName(name: string): string {
    return this.#finalNames.get(name) ?? name;
  }

  /** While it is done, and when it is done. */
  #words(action: Action): readonly [string, string] | undefined {
    switch (action.do) {
      case 'start container':
        return ['Starting', 'Started'];
      case 'create container':
        // What `run` makes is at once what is seen.
        if (action.oneOff !== undefined) return undefined;
        return action.replaces === undefined ? ['Creating', 'Created'] : [recreate, recreate];
      case 'stop container':
        return this.#replaced.has(action.name) ? undefined : ['Stopping', 'Stopped'];
      case 'remove container':
        return this.#replaced.has(action.name) ? undefined : ['Removing', 'Removed'];
      case 'rename container':
        return this.#made.has(action.name) ? [recreate, 'Recreated'] : ['Renaming', 'Renamed'];
      case 'disconnect container':
      case 'connect container':
        return undefined;
      case 'wait for service':
        return ['Waiting', action.condition === 'service_healthy' ? 'Healthy' : 'Exited'];
      default:
        return action.do.startsWith('create') ? ['Creating', 'Created'] : ['Removing', 'Removed'];
    }
  }
}

const recreate = 'Recreate';

/** The containers that are as they should be, told once. */
export function standing(plan: Plan, { containers }: Observed, services: readonly string[]): ProgressEvent[] {
  const touched = new Set(plan.flatMap(({ action }) => ('name' in action ? [action.name] : [])));
  return containers
    .filter(
      ({ name, service, running, oneOff }) =>
        running && !oneOff && services.includes(service) && !touched.has(name),
    )
    .map(({ name }) => ({ id: `Container ${name}`, status: 'Running', state: 'stands' }));
}
