import type { EventMessage } from '../../../api/events.ts';
import { encodeFilters, follow } from '../../../client/operation.ts';
import { systemOperations } from '../../../client/operations.ts';
import { composeLabels } from '../../../compose/labels.ts';
import { anyArguments, type Command } from '../../command.ts';
import { nameOfProject } from '../../compose/load-project.ts';
import { eventTime } from '../../output/event-time.ts';
import { apiTimestamp } from '../../timestamps.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Receive real time events from containers',
  aliases: 'compose events',
  flags: `
      --json  Output events as a stream of json objects
      --since string  Show all events created since timestamp
      --until string  Stream events until this timestamp
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const name = nameOfProject(session, groupFlags);
    const filters = new Map([
      ['type', ['container']],
      ['label', [`${composeLabels.project}=${name}`]],
    ]);
    const query = {
      since: apiTimestamp(flags.string('since'), Date.now()),
      until: apiTimestamp(flags.string('until'), Date.now()),
      filters: encodeFilters(filters),
    };
    const show = flags.on('json') ? asJson : asText;
    await follow(await session.client(), systemOperations.events, { query }, (event: EventMessage) => {
      const labels = event.Actor.Attributes ?? {};
      const isOneOff = labels[composeLabels.oneOff] === 'True';
      const isAsked = args.length === 0 || args.includes(labels[composeLabels.service] ?? '');
      if (!isOneOff && isAsked) session.out.line(show(event));
    });
  },
};

function asJson(event: EventMessage): string {
  return JSON.stringify({
    action: event.Action,
    attributes: Object.fromEntries(ownAttributes(event)),
    id: event.Actor.ID,
    service: event.Actor.Attributes?.[composeLabels.service] ?? '',
    time: rfc3339(event),
    type: 'container',
  });
}

function asText(event: EventMessage): string {
  const attributes = ownAttributes(event).map(([key, value]) => `${key}=${value}`);
  const { date, clock, nanoseconds } = eventTime(event);
  return `${date} ${clock}.${nanoseconds.slice(0, 6)} container ${event.Action} ${event.Actor.ID} (${attributes.join(', ')})\n`;
}

/** Go's notation: no more digits than it needs. */
function rfc3339(event: EventMessage): string {
  const { date, clock, nanoseconds, zone } = eventTime(event);
  const digits = nanoseconds.replace(/0+$/, '');
  return `${date}T${clock}${digits === '' ? '' : `.${digits}`}${zone}`;
}

/** Without Compose's labels. */
function ownAttributes({ Actor }: EventMessage): [string, string][] {
  return Object.entries(Actor.Attributes ?? {})
    .filter(([key]) => !key.startsWith('com.docker.compose.'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
