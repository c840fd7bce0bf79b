import type { EventMessage } from '../../api/events.ts';
import { encodeFilters, follow } from '../../client/operation.ts';
import { systemOperations } from '../../client/operations.ts';
import { messageOf } from '../../stdx/errors.ts';
import { toJson } from '../../stdx/template/json.ts';
import { Template } from '../../stdx/template/template.ts';
import { type Command, noArguments } from '../command.ts';
import { ExitError } from '../errors.ts';
import { parseFilters } from '../filters.ts';
import { dockerTypes } from '../output/docker-types.ts';
import { eventTime } from '../output/event-time.ts';
import { inspectFormatFlag } from '../output/inspection.ts';
import { apiTimestamp } from '../timestamps.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Get real time events from the server',
  aliases: 'system events, events',
  flags: `
  -f, --filter filter  Filter output based on conditions provided
${inspectFormatFlag.replace('-f, ', '    ')}
      --since string  Show all events created since timestamp
      --until string  Stream events until this timestamp
`,
  takes: noArguments,
  async run({ session, flags }) {
    const format = flags.string('format');
    const template = format === '' || format === 'json' ? undefined : readEventTemplate(format);
    const show =
      template !== undefined
        ? (event: EventMessage) => template.run(dockerTypes.decode('*events.Message', event))
        : format === 'json'
          ? (event: EventMessage) => toJson(event)
          : describe;
    const query = {
      since: apiTimestamp(flags.string('since'), Date.now()),
      until: apiTimestamp(flags.string('until'), Date.now()),
      filters: encodeFilters(parseFilters(flags.list('filter'))),
    };
    await follow(await session.client(), systemOperations.events, { query }, (event: EventMessage) =>
      session.out.line(show(event)),
    );
  },
};

/** What an empty event cannot be shown with is refused before anything is asked. */
function readEventTemplate(format: string): Template {
  try {
    const template = new Template(format);
    template.run(dockerTypes.decode('*events.Message', {}));
    return template;
  } catch (error) {
    throw new ExitError(64, `Error parsing format: ${messageOf(error)}`);
  }
}

function describe(event: EventMessage): string {
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  const details = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`;
  const { date, clock, nanoseconds, zone } = eventTime(event);
  return `${date}T${clock}.${nanoseconds}${zone} ${event.Type} ${event.Action} ${event.Actor.ID}${details}`;
}
