import type { EventMessage } from '../../api/events.ts';
import type { EngineEvent } from '../../engine/events.ts';

/** One line of `/events`, as text: `timeNano` has more digits than a number of JavaScript's. */
export function eventToWire(event: EngineEvent): string {
  const { type, action, actor, timeNs } = event;
  const message: Omit<EventMessage, 'timeNano'> = {
    ...legacyFields(event),
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: 'local',
    time: Number(timeNs / 1_000_000_000n),
  };
  return `${JSON.stringify(message).slice(0, -1)},"timeNano":${timeNs}}`;
}

/** The fields of API 1.21 and before, still sent for containers and images (api/types/events). */
function legacyFields({ type, action, actor }: EngineEvent): Pick<EventMessage, 'status' | 'id' | 'from'> {
  if (type === 'container') {
    const { image } = actor.attributes;
    return { status: action, id: actor.id, ...(image === undefined ? {} : { from: image }) };
  }
  return type === 'image' ? { status: action, id: actor.id } : {};
}
