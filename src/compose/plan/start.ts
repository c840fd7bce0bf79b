import type { Observed } from '../observed.ts';
import type { Project } from '../project.ts';
import { type Plan, PlanBuilder } from './plan.ts';
import { servicesInOrder } from './up.ts';

/**
 * What starts the containers there are of services and of those they depend on, each when these are ready.
 * @param names all services when there are none
 */
export function planStart(project: Project, observed: Observed, names: readonly string[]): Plan {
  const steps = new PlanBuilder();
  const started = new Map<string, number[]>();
  const waits = new Map<string, number>();
  for (const service of servicesInOrder(project, names, true)) {
    const idle = observed.containers.filter(
      container => container.service === service && !container.oneOff && !container.running,
    );
    const ready = idle.length === 0 ? [] : readiness(service);
    started.set(
      service,
      idle.map(({ name }) => steps.add({ do: 'start container', service, name }, ready)),
    );
  }
  return steps.steps;

  function readiness(service: string): number[] {
    const needed = Object.entries(project.services[service]?.depends_on ?? {});
    return needed
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([other, { condition, required }]) => {
        const after = started.get(other) ?? [];
        if (condition === 'service_started') return after;
        const key = `${other} ${condition} ${required}`;
        const wait =
          waits.get(key) ?? steps.add({ do: 'wait for service', service: other, condition, required }, after);
        waits.set(key, wait);
        return [wait];
      });
  }
}
