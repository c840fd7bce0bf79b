import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { printLog } from '../../compose/follow-logs.ts';
import { FollowedLogs } from '../../compose/followed-logs.ts';
import { LogLines } from '../../compose/log-lines.ts';
import { coloursOutput } from '../../compose/progress/open-progress.ts';
import { projectContainers, type ServiceContainer } from '../../compose/service-containers.ts';
import { apiTimestamp } from '../../timestamps.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'View output from containers',
  flags: `
  -f, --follow  Follow log output
      --index int  index of the container if service has multiple replicas
      --no-color  Produce monochrome output
      --no-log-prefix  Don't print prefix in logs
      --since string  Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)
  -n, --tail string  Number of lines to show from the end of the logs for each container (default "all")
  -t, --timestamps  Show timestamps
      --until string  Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    const { name, containers } = await projectContainers(session, groupFlags, args);
    const index = flags.integer('index');
    const wanted = index === 0 ? containers : containers.filter(({ number }) => number === index);
    if (index !== 0 && wanted.length === 0)
      throw new EngineError(
        'notFound',
        `service ${JSON.stringify(args[0] ?? '')} is not running container #${index}`,
      );
    const lines = new LogLines(
      session.out,
      wanted.map(container => shownName(name, container)),
      {
        prefix: !flags.on('no-log-prefix'),
        colour: coloursOutput(call),
      },
    );
    const query = {
      follow: flags.on('follow'),
      tail: flags.string('tail'),
      timestamps: flags.on('timestamps'),
      since: apiTimestamp(flags.string('since'), Date.now(), 'since'),
      until: apiTimestamp(flags.string('until'), Date.now(), 'until'),
    };
    const followed = new FollowedLogs(session, {
      name,
      query,
      lines,
      shownName: container => shownName(name, container),
      async containers() {
        const { containers: now } = await projectContainers(session, groupFlags, args);
        return now.filter(({ number }) => index === 0 || number === index);
      },
    });
    if (query.follow) await followed.run(wanted);
    else
      await Promise.all(
        wanted.map(container =>
          printLog(session, { id: container.id, shown: shownName(name, container) }, lines, query),
        ),
      );
  },
};

/** A container's name without the project's: `web-1`. */
export function shownName(project: string, { name }: Pick<ServiceContainer, 'name'>): string {
  return name.startsWith(`${project}-`) ? name.slice(project.length + 1) : name;
}
