import type { EngineEvent } from '../engine/events.ts';
import type { Call } from './call.ts';
import { Filters } from './filters.ts';

/** Names of actions with something behind a colon: `exec_create: sh`, `health_status: healthy`. */
const prefixActions = ['exec_create', 'exec_start', 'health_status', 'health_failure', 'schedule'];

/** Which events a client wants (moby, daemon/events/filter.go). Filters of other names are ignored, as dockerd does. */
export function eventFilter(call: Call): (event: EngineEvent) => boolean {
  const filters = Filters.readAny(call.query);
  return event =>
    matchesAction(filters, event) &&
    filters.exact('type', event.type) &&
    filters.exact('scope', 'local') &&
    actors.every(actor => matchesActor(filters, actor, event)) &&
    matchesImage(filters, event) &&
    filters.labels('label', event.actor.attributes);
}

function matchesAction(filters: Filters, event: EngineEvent): boolean {
  const byPrefix = filters.values('event').some(value => prefixActions.includes(value));
  return byPrefix ? filters.prefix('event', event.action) : filters.exact('event', event.action);
}

const actors = [
  'daemon',
  'container',
  'volume',
  'network',
  'plugin',
  'node',
  'service',
  'secret',
  'config',
] as const;

/** By id or name of whatever the event is about, as dockerd does it: `network=web` shows a container `web` as well. */
function matchesActor(filters: Filters, type: (typeof actors)[number], event: EngineEvent): boolean {
  if (!filters.has(type)) return true;
  const { id, attributes } = event.actor;
  return filters.prefix(type, id) || filters.prefix(type, attributes['name'] ?? '');
}

/** An image's own events, and those of containers made of it. */
function matchesImage(filters: Filters, event: EngineEvent): boolean {
  if (!filters.has('image')) return true;
  const { id, attributes } = event.actor;
  const name = attributes[event.type === 'image' ? 'name' : 'image'] ?? '';
  if (name === '' && event.type !== 'image') return false;
  const bare = name.replace(/:[^/:]*$/, '');
  return [id, name, bare].some(text => text !== '' && filters.exact('image', text));
}
