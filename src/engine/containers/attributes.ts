import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from './container.ts';

/** Publishes an event about a container with the attributes Docker gives: image, name and every label. */
export function publishContainerEvent(
  context: Pick<EngineContext, 'events'>,
  record: ContainerRecord,
  action: string,
  attributes: Record<string, string> = {},
): void {
  context.events.publish('container', action, record.id, {
    ...record.config.labels,
    image: record.config.image,
    name: record.name,
    ...attributes,
  });
}
